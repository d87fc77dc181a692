/** The error of a failed connection to a host. Its data can be sent to another process. */

/** A host and a port to connect to. `host` is a name or an address; an IPv6 address has no brackets. */
export interface Peer {
  readonly host: string
  readonly port: number
}

export type Family = 4 | 6

/** The code for an address that did not answer, and for an expired time limit. */
export const SILENT = 'ETIMEDOUT'

export interface Address {
  readonly address: string
  readonly family: Family
}

/** An address that was tried, and the code of its failure. */
export type Attempt = Address & { code: string }

/** The reason for a failed connection: plain data that one process can send to another as JSON. */
export interface ConnectFailure extends Peer {
  /**
   * `ETIMEDOUT` if the time limit expired or an address did not answer, else Node's code for the last failure, such as
   * `ENOTFOUND`.
   */
  readonly code: string
  /** The addresses that were tried. Empty if the name was not resolved. */
  readonly attempts: readonly Readonly<Attempt>[]
}

export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly failure: ConnectFailure

  constructor(failure: ConnectFailure, options?: ErrorOptions) {
    super(`cannot connect to ${failure.host}:${failure.port}: ${describe(failure)}`, options)
    this.failure = failure
  }

  get code(): string {
    return this.failure.code
  }

  /** Returns the reason as the rest of a sentence that begins with host and port. */
  get reason(): string {
    return describe(this.failure)
  }
}

/** Returns a text such as `8 IPv4 addresses did not answer, 8 IPv6 addresses failed (ENETUNREACH)`. */
function describe({ host, code, attempts }: ConnectFailure): string {
  if (attempts.length === 0) {
    return code === SILENT
      ? `${host} was not resolved in time`
      : `${host} cannot be resolved (${code})`
  }
  const counts = new Map<string, number>()
  for (const attempt of attempts) {
    const key = `IPv${attempt.family} ${attempt.code}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const parts = [...counts].map(([key, count]) => {
    const [family, cause = ''] = key.split(' ')
    const outcome = cause === SILENT ? 'did not answer' : `failed (${cause})`
    return `${count} ${family} ${count === 1 ? 'address' : 'addresses'} ${outcome}`
  })
  return parts.join(', ')
}
