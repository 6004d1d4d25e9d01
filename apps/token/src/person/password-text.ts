/** Which text may be a password: long enough to say no to guessing, short enough to hash. */
import { z } from 'zod';

export const MIN_PASSWORD_CHARACTERS = 12;
export const MAX_PASSWORD_CHARACTERS = 256;

/** Counted in characters, not in UTF-16 units. */
export function isPasswordText(text: string): boolean {
  return [...text].length >= MIN_PASSWORD_CHARACTERS && text.length <= MAX_PASSWORD_CHARACTERS;
}

export const PasswordText = z
  .string()
  .max(MAX_PASSWORD_CHARACTERS)
  .refine(isPasswordText, `${MIN_PASSWORD_CHARACTERS} to ${MAX_PASSWORD_CHARACTERS} characters`);
