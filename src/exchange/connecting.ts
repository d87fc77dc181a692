/** How connections are made, to Entra ID and to what stands in its place. */

export const CONNECTING = {
  /** Milliseconds, TLS included. */
  timeout: 5000,
  // One request at a time and hours apart has no use for HTTP/2, whose code Node loads for it.
  allowH2: false,
} as const

/** The real IMDS and its kin are never reached through a proxy, whatever NO_PROXY says. */
export const NEVER_PROXIED = ['169.254.169.254', 'localhost', '127.0.0.1', '[::1]']
