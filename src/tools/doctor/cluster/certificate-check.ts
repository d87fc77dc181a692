/** Checks the certificate of the webhook: the CA that its configuration names, and the certificate that its replicas have. */
import { X509Certificate } from 'node:crypto'
import { isCertificates, splitCertificates } from '../../../lib/pem.ts'
import { failed, notNeeded, type Outcome, passed } from '../findings.ts'
import type { Kubectl } from '../kubectl.ts'
import type { ClusterState } from './cluster-state.ts'

/** A week: the webhook renews its own certificate earlier. */
const SOON_MS = 7 * 86_400_000

/** Reads of the Secret only the certificate, if the user may. */
export async function checkCertificate(state: ClusterState, kubectl: Kubectl): Promise<Outcome> {
  const configuration = await state.getConfiguration()
  if (configuration === undefined) return notNeeded('there is no webhook')
  const authorities = parseCertificates(configuration.webhooks?.[0]?.clientConfig.caBundle)
  const [authority] = authorities.toSorted(
    (a, b) => b.validToDate.getTime() - a.validToDate.getTime(),
  )
  if (authority === undefined) {
    return fail(
      `the MutatingWebhookConfiguration ${configuration.metadata.name} has no CA certificate`,
    )
  }
  if (hasEnded(authority)) return fail(`its CA certificate has expired at ${formatEnd(authority)}`)
  const leaf = await readLeaf(state, kubectl)
  if (leaf === undefined) {
    return passed(
      `its CA is valid until ${formatEnd(authority)}`,
      'its own certificate was not read',
    )
  }
  if (hasEnded(leaf)) return fail(`it has expired at ${formatEnd(leaf)}`)
  if (!authorities.some((each) => !hasEnded(each) && leaf.verify(each.publicKey))) {
    return fail('it is not issued by the CA that the configuration names')
  }
  const warnings = hasEnded(leaf, SOON_MS)
    ? ['it ends within a week, and should have been renewed']
    : []
  return {
    ...passed(`valid until ${formatEnd(leaf)}, by the CA that the configuration names`),
    warnings,
  }
}

function fail(problem: string): Outcome {
  return failed({
    code: 'webhook_certificate_invalid',
    problem,
    fix: 'see why it is not renewed in the log of the webhook, and with certificates.source cert-manager or secret in its Certificate or Secret; the CA is then certificates.caBundle of the chart',
  })
}

/** Returns true for a certificate that ends within so many milliseconds, or has. */
function hasEnded({ validToDate }: X509Certificate, withinMs = 0): boolean {
  return validToDate.getTime() <= Date.now() + withinMs
}

function formatEnd({ validToDate }: X509Certificate): string {
  return validToDate.toISOString()
}

/** Returns the certificates of a PEM text in Base64; none if one cannot be parsed. */
function parseCertificates(base64 = ''): X509Certificate[] {
  const pem = Buffer.from(base64, 'base64').toString()
  return isCertificates(pem) ? splitCertificates(pem).map((each) => new X509Certificate(each)) : []
}

/** Returns the certificate of the replicas; undefined if it cannot be read. */
async function readLeaf(
  { getDeployment }: ClusterState,
  kubectl: Kubectl,
): Promise<X509Certificate | undefined> {
  const deployment = await getDeployment()
  if (deployment === undefined) return undefined
  const { metadata, spec } = deployment
  const { containers, volumes = [] } = spec.template.spec
  const args = containers.flatMap(({ args: each = [] }) => each)
  const own = args.flatMap((arg) => /^--secret=(.+)$/.exec(arg)?.[1] ?? [])
  const mounted = volumes.find(({ name }) => name === 'tls')?.secret?.secretName
  const name = own[0] ?? mounted
  if (name === undefined) return undefined
  const output = String.raw`--output=jsonpath={.data.tls\.crt}`
  const scope = `--namespace=${metadata.namespace ?? 'default'}`
  const { code, stdout } = await kubectl(['get', 'secret', name, scope, output])
  return code === 0 ? parseCertificates(stdout)[0] : undefined
}
