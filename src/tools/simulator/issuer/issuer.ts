/** The OIDC issuer of a Kubernetes cluster: it signs projected service account tokens. */
import { createHash, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose'
import { Secret } from '../../../lib/secret.ts'
import { jsonResponse, type Handler } from '../http/handler.ts'

/** Claims of a projected token. Default: a pod of the service account shop/orders. */
export interface ProjectedTokenClaims {
  readonly namespace?: string | undefined
  readonly serviceAccount?: string | undefined
  readonly pod?: string | undefined
  readonly node?: string | undefined
  readonly audience?: string | readonly string[] | undefined
  readonly lifetimeSeconds?: number | undefined
  /** Overrides claims, for invalid tokens; `undefined` removes one. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  /** Overrides header parameters; `undefined` removes one. */
  readonly header?: Readonly<Record<string, unknown>> | undefined
}

export interface ClusterIssuer {
  /** The exact `iss`, which a federated credential must have. */
  readonly issuer: string
  /** Serves the discovery document and the key set. */
  readonly handler: Handler
  sign(claims?: ProjectedTokenClaims): Promise<Secret>
  /**
   * Signs with a new key from now on and returns its id. Older keys stay published, so their tokens
   * stay valid. With `published: false` the new key is not published (AADSTS7000272).
   */
  rotateKey(options?: { readonly published?: boolean | undefined }): Promise<string>
  /** Removes every key except the current one from the key set. */
  retireOldKeys(): void
}

interface IssuerOptions {
  /** The exact `iss`. The documents are served under its path. */
  readonly issuer: string
  readonly now?: () => number
}

interface SigningKey {
  readonly kid: string
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey']
  readonly jwk: JWK
}

const NAMESPACE = 'shop'
const SERVICE_ACCOUNT = 'orders'

/** Creates an issuer with one new RS256 key. */
export async function createIssuer({
  issuer,
  now = Date.now,
}: IssuerOptions): Promise<ClusterIssuer> {
  const base = issuer.replace(/\/$/u, '')
  const path = new URL(issuer).pathname.replace(/\/$/u, '')
  let current = await createKey()
  let published: readonly JWK[] = [current.jwk]

  const documents = new Map<string, () => unknown>([
    [`${path}/.well-known/openid-configuration`, () => createDiscoveryDocument(issuer, base)],
    [`${path}/openid/v1/jwks`, () => ({ keys: published })],
  ])

  return {
    issuer,
    handler: async (request) => {
      const document = documents.get(new URL(request.url).pathname)
      if (!document || request.method !== 'GET') {
        return jsonResponse(404, { kind: 'Status', status: 'Failure', code: 404 })
      }
      return jsonResponse(200, document(), { 'cache-control': 'public, max-age=3600' })
    },
    sign: (claims = {}) => sign(current, issuer, claims, now()),
    async rotateKey({ published: isPublished = true } = {}) {
      const next = await createKey()
      if (isPublished) published = [next.jwk, ...published]
      current = next
      return next.kid
    },
    retireOldKeys() {
      published = published.filter(({ kid }) => kid === current.kid)
    },
  }
}

/** Returns the fields that kube-apiserver serves. */
const createDiscoveryDocument = (issuer: string, base: string) => ({
  issuer,
  jwks_uri: `${base}/openid/v1/jwks`,
  response_types_supported: ['id_token'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
})

async function sign(
  key: SigningKey,
  issuer: string,
  {
    audience = 'api://AzureADTokenExchange',
    lifetimeSeconds = 3600,
    ...request
  }: ProjectedTokenClaims,
  now: number,
): Promise<Secret> {
  const { namespace = NAMESPACE, serviceAccount = SERVICE_ACCOUNT, node = 'node-1' } = request
  const iat = Math.floor(now / 1000)
  const claims = {
    aud: typeof audience === 'string' ? [audience] : audience,
    exp: iat + lifetimeSeconds,
    iat,
    iss: issuer,
    jti: randomUUID(),
    'kubernetes.io': {
      namespace,
      node: { name: node, uid: deriveUid('node', node) },
      pod: {
        name: request.pod ?? `${serviceAccount}-0`,
        uid: deriveUid('pod', namespace, serviceAccount),
      },
      serviceaccount: {
        name: serviceAccount,
        uid: deriveUid('serviceaccount', namespace, serviceAccount),
      },
    },
    nbf: iat,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
    ...request.claims,
  }
  const header = { alg: 'RS256', kid: key.kid, ...request.header }
  return new Secret(
    await new SignJWT(removeUndefined(claims))
      .setProtectedHeader({ ...removeUndefined(header), alg: 'RS256' })
      .sign(key.privateKey),
  )
}

/** Creates a key. Its id is the SHA-256 of the public key's DER form, as kube-apiserver's. */
async function createKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const der = await crypto.subtle.exportKey('spki', publicKey)
  const kid = createHash('sha256').update(new Uint8Array(der)).digest('base64url')
  const { kty, n, e } = await exportJWK(publicKey)
  if (kty === undefined || n === undefined || e === undefined) {
    throw new TypeError('an RSA public key has a modulus and an exponent')
  }
  return { kid, privateKey, jwk: { use: 'sig', kty, kid, alg: 'RS256', n, e } }
}

/** Derives a stable uid, so that an object keeps it across rotations, as in a cluster. */
function deriveUid(...parts: readonly string[]): string {
  const hex = createHash('sha256').update(parts.join('/')).digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}

/** Removes the members whose value is `undefined`. */
const removeUndefined = (members: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
