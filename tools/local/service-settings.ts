/** The keys that one service alone has, beside those that all share. */
import type { Settings } from './settings.ts';

export function appSettings(_settings: Settings, _service: string): object {
  return {};
}
