/** What a simulated world can be told to be like. */
import type { IssuedCertificate } from '../lib/x509.ts'
import type { DirectoryInput } from './entra/directory.ts'
import type { EntraOptions } from './entra/entra.ts'
import type { ProjectedTokenClaims } from './issuer/issuer.ts'
import type { Listen } from './http/origins.ts'
import type { VaultSecret } from './vault/vault.ts'

export interface SimulatorOptions extends Pick<
  EntraOptions,
  'externalIssuers' | 'issuerCacheMs' | 'toleranceMs' | 'trailerSeparator'
> {
  /**
   * `true` (default): every server has a port and speaks TLS. `false`: none has; their origins are
   * names under `.test` that only `dispatcher` reaches.
   */
  readonly ports?: boolean
  /** Where `ca.crt` and the volume `token/` are written. Default: a temporary one, gone at close. */
  readonly stateDir?: string
  /** What Entra knows, given the issuer's URL. Default: the applications of world-defaults.ts. */
  readonly directory?: (issuer: string) => DirectoryInput
  /** Default: `database-password`, which only the application orders may read. */
  readonly secrets?: Readonly<Record<string, VaultSecret>>
  /** What projected tokens say, unless `rotateToken` is told otherwise. */
  readonly projectedToken?: ProjectedTokenClaims
  readonly listen?: {
    readonly entra?: Listen
    readonly issuer?: Listen
    readonly vault?: Listen
    /** Without it there is no token proxy. */
    readonly tokenProxy?: Listen
  }
  /** DNS names and addresses of Entra and the vault; the first name is used in their URLs. */
  readonly names?: readonly string[]
  readonly addresses?: readonly string[]
  /** Served by Entra and the vault in place of a certificate of the world's own authority. */
  readonly tls?: IssuedCertificate
  readonly now?: () => number
  readonly random?: () => number
  /** How a `delay` fault waits. */
  readonly sleep?: (ms: number) => Promise<void>
}
