/** The OIDC issuer of a Kubernetes cluster: it signs projected service account tokens. */
import { randomUUID } from 'node:crypto'
import type { JWK, JWTPayload } from 'jose'
import { z } from 'zod'
import { Secret } from '../../../lib/secret.ts'
import { createJsonResponse, type Handler } from '../http/handler.ts'
import { createSigningKey } from '../signing-key.ts'

/** Claims of a projected token. Default: a pod of the service account shop/orders. */
export const ProjectedTokenSchema = z
  .strictObject({
    namespace: z.string(),
    serviceAccount: z.string(),
    audience: z.string(),
    lifetimeSeconds: z.int().positive(),
    /** Overrides claims, for invalid tokens; `undefined` removes one. */
    claims: z.record(z.string(), z.unknown()),
    /** Overrides header parameters; `undefined` removes one. */
    header: z.record(z.string(), z.unknown()),
  })
  .partial()
export type ProjectedTokenClaims = z.infer<typeof ProjectedTokenSchema>

/** Creates an issuer with one new RS256 key. `issuer` is the exact `iss`; the documents are under its path. */
export async function createIssuer(issuer: string, now: () => number = Date.now) {
  const base = issuer.replace(/\/$/u, '')
  const path = new URL(issuer).pathname.replace(/\/$/u, '')
  let current = await createKey()
  let published: readonly JWK[] = [current.jwk]

  /** The documents by their paths, with the members that kube-apiserver serves. */
  const documents: Readonly<Record<string, () => unknown>> = {
    [`${path}/.well-known/openid-configuration`]: () => ({
      issuer,
      jwks_uri: `${base}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }),
    [`${path}/openid/v1/jwks`]: () => ({ keys: published }),
  }
  /** Serves the discovery document and the key set. */
  const handler: Handler = async (request) => {
    const document = documents[new URL(request.url).pathname]
    if (!document || request.method !== 'GET') {
      return createJsonResponse(404, { kind: 'Status', status: 'Failure', code: 404 })
    }
    return createJsonResponse(200, document(), { 'cache-control': 'public, max-age=3600' })
  }

  return {
    /** The exact `iss`, which a federated credential must have. */
    issuer,
    handler,
    /** Signs a projected token. */
    async sign(claims: ProjectedTokenClaims = {}): Promise<Secret> {
      return new Secret(await current.sign(createClaims(issuer, claims, now()), claims.header))
    },
    /** Signs with a new key from now on. Older keys stay published, so their tokens stay valid. */
    async rotateKey(): Promise<void> {
      current = await createKey()
      published = [current.jwk, ...published]
    },
    /** Removes every key except the current one from the key set. */
    retireOldKeys(): void {
      published = published.filter(({ kid }) => kid === current.kid)
    },
  }
}

/** The uids of the objects that a token names. They are the same after a rotation, as in a cluster. */
export const UIDS = { node: randomUUID(), pod: randomUUID(), serviceAccount: randomUUID() }

function createClaims(issuer: string, request: ProjectedTokenClaims, now: number): JWTPayload {
  const { namespace = 'shop', serviceAccount = 'orders', lifetimeSeconds = 3600 } = request
  const iat = Math.floor(now / 1000)
  return {
    aud: [request.audience ?? 'api://AzureADTokenExchange'],
    exp: iat + lifetimeSeconds,
    iat,
    iss: issuer,
    jti: randomUUID(),
    'kubernetes.io': {
      namespace,
      node: { name: 'node-1', uid: UIDS.node },
      pod: { name: `${serviceAccount}-0`, uid: UIDS.pod },
      serviceaccount: {
        name: serviceAccount,
        uid: UIDS.serviceAccount,
      },
    },
    nbf: iat,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
    ...request.claims,
  }
}

/** Creates a key with an id of the form that kube-apiserver's keys have. */
const createKey = () => createSigningKey('sha256')
