package dev.idempotency.servlet;

/** What an answer says about the operation behind it. */
enum Ending {
  /** Answered on purpose and final for the key. */
  RECORDED,
  /** By its meaning nothing was executed; a corrected retry must not be blocked. */
  RELEASED,
  /** Nobody knows whether the effect happened. */
  IN_DOUBT
}
