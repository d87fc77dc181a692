/** Measures what no public source proves (docs/entra.md): each function returns what Entra ID answered, and judges nothing. */
import { AUDIENCE, type RecordedReply, requestToken, summarize } from './exchanges.ts'
import { ISSUER_NAMES, publishIssuer, SUBJECT } from './own-issuer.ts'
import {
  ARM,
  createAssertion,
  findIssuer,
  PUBLIC_AUTHORITY,
  readVariable,
  type Run,
} from './run-parts.ts'

/** A flexible credential takes only issuers such as this one. */
const FLEXIBLE = {
  name: 'flexible',
  issuer: 'https://token.actions.githubusercontent.com',
  audiences: [AUDIENCE],
  claimsMatchingExpression: { value: "claims['sub'] matches 'repo:wimds/*'", languageVersion: 1 },
}

/** Stores the name of the application before the application exists, so that the deletion finds it after any failure. */
const NAME_APPLICATION = 'export APP_NAME=$GROUP-$(openssl rand -hex 4)'

const CREATE_APPLICATION = `
APP_ID=$(az ad app create --display-name "$APP_NAME" --query appId --output tsv)
export APP_ID
az ad sp create --id "$APP_ID" --output none
az rest --method POST --headers Content-Type=application/json --output none \\
  --url "https://graph.microsoft.com/beta/applications(appId='$APP_ID')/federatedIdentityCredentials" \\
  --body '${JSON.stringify(FLEXIBLE).replaceAll("'", String.raw`'\''`)}'`

const trust = (name: string, issuer: string, subject: string) => `
az ad app federated-credential create --id "$APP_ID" --output none --parameters \\
  '${JSON.stringify({ name, issuer, subject, audiences: [AUDIENCE] })}'`

/** Entra ID has to accept a new credential this often without a rejection in between. */
const ACCEPTED = 10

/** Records Entra ID's answers for an application with a flexible credential, before and after it gets one for the cluster. */
export async function measureApplication(run: Run): Promise<unknown> {
  await run.reader.shell(NAME_APPLICATION)
  await run.reader.shell(CREATE_APPLICATION)
  run.hide(await readVariable(run, 'APP_ID'), 'application')
  const ask = async () => await post(run, await createAssertion(run, AUDIENCE))
  const before = await run.repeat(async () => {
    const reply = await ask()
    // Not all of Entra ID knows the application or its service principal yet.
    if (/AADSTS(?:700016|7000229)/.test(summarize(reply))) throw new Error(summarize(reply))
    return reply
  })
  const issuer = await findIssuer(run)
  await run.reader.shell(trust('cluster', issuer, 'system:serviceaccount:shop:orders'))
  const startedAt = Date.now()
  const seconds = () => Math.round((Date.now() - startedAt) / 1000)
  const changes: string[] = []
  let accepted = 0
  let reply = before
  const askAgain = async () => {
    reply = await ask()
    accepted = reply.status === 200 ? accepted + 1 : 0
    const line = summarize(reply)
    if (!changes.at(-1)?.endsWith(`: ${line}`)) changes.push(`after ${seconds()} s: ${line}`)
    if (accepted < ACCEPTED) throw new Error(`${accepted} tokens in a row`)
    return `after ${seconds()} s`
  }
  const stable = await run.repeat(askAgain).catch(String)
  return {
    'without a matching credential': before,
    'since the credential was created': changes,
    [`${ACCEPTED} tokens in a row`]: stable,
    'members of a reply': describeMembers(reply),
  }
}

/** Records Entra ID's answers to tokens that no cluster signs. */
export async function measureOwnIssuer(run: Run): Promise<unknown> {
  const issuer = await publishIssuer(run.reader, run.folder)
  run.hide(issuer.url(''), 'own issuer/')
  for (const name of ISSUER_NAMES) {
    await run.reader.shell(trust(name, issuer.url(name), SUBJECT))
  }
  const ask = async (name: string, claims = {}) => await post(run, await issuer.sign(name, claims))
  await run.repeat(async () => {
    const reply = await ask('usual')
    if (reply.status !== 200) throw new Error(summarize(reply))
  })
  const offsets = [60, 240, 290, 310, 360]
  const rows: Record<string, string> = {}
  const measure = async (what: string, name: string, claims = {}) =>
    (rows[what] = summarize(await ask(name, claims)))
  await measure('an audience in a list', 'usual', { aud: [AUDIENCE] })
  await measure('two audiences', 'usual', { aud: [AUDIENCE, 'api://somebody-else'] })
  await measure('two audiences, the second one matches', 'usual', { aud: ['api://x', AUDIENCE] })
  for (const each of offsets) {
    await measure(`exp ${each} s ago`, 'usual', { exp: at(-each), nbf: at(-3600), iat: at(-3600) })
    await measure(`nbf in ${each} s`, 'usual', { nbf: at(each), iat: at(each) })
  }
  await measure('no nbf', 'usual', { nbf: undefined })
  for (const name of ISSUER_NAMES) await measure(`discovery document: ${name}`, name)
  return rows
}

const at = (offset: number) => Math.floor(Date.now() / 1000) + offset

/** Records the answers of the regional endpoint, for the managed identity and for the application. */
export async function measureRegionalEndpoint(run: Run): Promise<unknown> {
  const { hostname } = new URL(PUBLIC_AUTHORITY)
  const authority = run.authority.replace(hostname, `${run.location}.login.microsoft.com`)
  const assertion = await createAssertion(run, AUDIENCE)
  const clientId = await readVariable(run, 'CLIENT_ID')
  return {
    'managed identity': summarize(await post(run, assertion, { authority, clientId })),
    application: summarize(await post(run, assertion, { authority })),
  }
}

/** Requests a token, for the application unless `changes` has another client. */
async function post(
  run: Run,
  assertion: string,
  changes:
    Readonly<Record<'authority' | 'clientId', string>> | { readonly authority?: string } = {},
): Promise<RecordedReply> {
  const { authority } = run
  const tenantId = await readVariable(run, 'TENANT_ID')
  const clientId = await readVariable(run, 'APP_ID')
  return await requestToken({ authority, tenantId, clientId, resource: ARM, assertion, ...changes })
}

/** Lists the members of a reply, with the values that are numbers. */
function describeMembers({ body }: RecordedReply): string[] {
  return Object.entries(body).map(([name, value]) =>
    typeof value === 'number' ? `${name}: ${value}` : name,
  )
}
