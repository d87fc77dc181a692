/** How connections are made, to Entra ID and to what stands in its place. */

export const CONNECTING = {
  /** Milliseconds, TLS included. */
  timeout: 5000,
  // One request at a time and hours apart has no use for HTTP/2, whose code Node loads for it.
  allowH2: false,
} as const
