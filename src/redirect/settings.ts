/** What the redirect is to do: which address and port, to which port, and who is exempt. */

export const REDIRECT_MODES = ['loopback', 'nft'] as const
export type RedirectMode = (typeof REDIRECT_MODES)[number]

export interface RedirectSettings {
  /** `loopback` also puts the metadata address on `lo`; `nft` leaves the real one reachable. */
  readonly mode: RedirectMode
  /** The port the sidecar listens on, on 127.0.0.1. */
  readonly port: number
  readonly metadataIp: string
  readonly metadataPort: number
  /** The only uid that may reach the real IMDS; undefined when pass-through is off. */
  readonly exemptUid: number | undefined
}

export const REDIRECT_DEFAULTS = {
  mode: 'loopback',
  port: 8000,
  uid: 1501,
  metadataIp: '169.254.169.254',
  metadataPort: 80,
} as const
