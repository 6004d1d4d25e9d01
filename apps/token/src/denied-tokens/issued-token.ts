/** A token as far as ending it goes: which one, and until when anybody would take it. */

export interface IssuedToken {
  readonly jti: string;
  readonly expiresAt: Date;
}
