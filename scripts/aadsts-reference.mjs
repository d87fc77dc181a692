// Writes docs/aadsts.md from the table of AADSTS codes: a section for each code. With --check writes nothing, and exits with 1 if
// the page is not current. Needs a Node that runs TypeScript: start it by `npm run docs:aadsts`.
import { AADSTS_TABLE } from '../src/broker/aadsts.ts'
import { ERROR_KINDS } from '../src/lib/errors.ts'
import { writePage } from './write-page.mjs'

/** The shortened texts of Entra ID after the number, as far as they are known. People search for them, also for older ones. */
const MESSAGES = {
  50027: 'JWT token is invalid or malformed',
  50033: 'CCS could not serve the request that had failed at ESTS',
  50049: 'Unknown or invalid instance',
  50166: 'Request to External OIDC endpoint failed',
  50196: 'The server terminated an operation because it encountered a client request loop',
  53003: 'Access has been blocked by Conditional Access policies',
  70021: 'No matching federated identity record found for presented assertion',
  70023: 'External OIDC Provider token must have a lifetime of less than or equal to 1.01:00:00',
  70025: 'The client has no configured federated identity credentials',
  90002: 'Tenant not found',
  90033: 'A transient error has occurred',
  90061: 'Request to External OIDC endpoint failed',
  100007: [
    'This request was received by an Azure AD regional authentication endpoint. Only managed identities and Microsoft internal service identities are supported',
    'Regional Cache Auth Service token requests for audience App that is not MSI are forbidden',
  ],
  500011: 'The resource principal named … was not found in the tenant named …',
  500014: 'The service principal for resource is disabled',
  501051: 'Application is not assigned to a role for the application',
  501661: 'Request to External OIDC endpoint failed',
  700016: 'Application with identifier was not found in the directory',
  700024: 'Client assertion is not within its valid time range',
  700025: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented",
  700027: [
    'Client assertion failed signature validation',
    'Client assertion contains an invalid signature. [Reason - The key was not found.',
    'The certificate with identifier used to sign the client assertion is not registered on application',
  ],
  700211: 'No matching federated identity record found for presented assertion issuer',
  700212: 'No matching federated identity record found for presented assertion audience',
  700213: 'No matching federated identity record found for presented assertion subject',
  700222: 'AAD-issued tokens may not be used for federated identity flows',
  700226: 'Only MSI tokens may be used as Federated Identity Credentials for AAD issuer',
  700229:
    'Forbidden token type. Only app-only tokens may be used as Federated Identity Credentials for AAD issuer',
  700231:
    'Token obtained using another federated identity credential may not be used as federated identity credential',
  700236:
    'Entra ID tokens issued by issuer … may not be used for federated identity credential flows for applications or managed identities registered in this tenant',
  900021: 'Requested tenant identifier is not valid. Tenant identifiers may not be an empty GUID',
  900023: 'Specified tenant identifier is neither a valid DNS name, nor a valid external domain',
  900382: 'Confidential Client is not supported in Cross Cloud request',
  900432: 'Confidential Client is not supported in Cross Cloud request',
  900439:
    'Requests are not supported on the public endpoint for tenants in the Azure Government cloud',
  900440: 'Requests to tenants hosted in the public cloud are not supported on USGov endpoints',
  900612: 'Failed to parse provider signing keys',
  1002012:
    'The provided value for scope … is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier',
  5000224: 'This tenant has been blocked due to inactivity',
  5000225: 'This tenant has been blocked due to inactivity',
  5002723:
    'Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId specified in token header',
  5002730: 'Invalid JWT token. Unsupported key for the signing algorithm',
  5002738: "Invalid JWT token. 'ES384' is not a supported signature algorithm",
  7000112: 'Application is disabled',
  7000216:
    "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type",
  7000218:
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'",
  7000229: 'The client application is missing service principal in the tenant',
  7000272:
    'The certificate used to sign the federated credential could not be found in the metadata of identity provider',
  7002131: 'No federated identity credential expression matched',
  7002138:
    'The subject matches with case-insensitive comparison, but not with case-sensitive comparison',
  7002381:
    'Federated identity credentials issued by … for applications or managed identities registered in this tenant must contain the enterprise claim with value …',
}

const CREATE = `\`\`\`sh
az identity federated-credential create --resource-group GROUP --identity-name IDENTITY --name NAME \\
  --issuer ISSUER --subject system:serviceaccount:NAMESPACE:SERVICE_ACCOUNT --audiences api://AzureADTokenExchange
\`\`\``

await writePage('docs/aadsts.md', formatPage(), 'npm run docs:aadsts')

function formatPage() {
  const numbers = [...AADSTS_TABLE.keys()].toSorted((a, b) => a - b)
  return `# AADSTS codes of Entra ID

<!-- Written by npm run docs:aadsts from src/broker/aadsts.ts; edit that. -->

The codes that wimds explains, with the fix. ISSUER, SUBJECT and AUDIENCE are the claims \`iss\`, \`sub\` and \`aud\` of the
projected token. [\`wimds doctor\`](doctor.md) prints the fix with their values, and for a missing federated credential the whole
command. A code of six or seven digits that begins with 70021 and is not here means the same as the one without its last digit. Other
codes are in [Microsoft's list](https://learn.microsoft.com/entra/identity-platform/reference-error-codes); for them wimds
reports [\`entra_request_rejected\`](troubleshooting.md#entra_request_rejected), with the text of Entra ID.

${numbers.map((number) => formatSection(number, AADSTS_TABLE.get(number))).join('\n')}
`
}

function formatSection(number, entry) {
  const { code, explanation, fix } = entry
  const messages = [MESSAGES[number] ?? []].flat()
  const says =
    messages.length === 0
      ? ''
      : `Entra ID says: ${messages.map((message) => `“${message}”`).join(', or ')}.`
  const command = /create a federated credential/.test(fix) ? CREATE : ''
  return `## AADSTS${number}

${says}

${capitalize(explanation)}.

Fix: ${formatFix(fix)}.

${command}

Code of wimds: [\`${code}\`](troubleshooting.md#${code}), ${formatDuration(entry)}. In the log: \`"aadsts":${number}\`.
`
}

/** Formats how long the rejection lasts. */
function formatDuration({ code, passesWithinMinutes: minutes }) {
  if (minutes === 0) return 'which lasts until something is changed'
  if (minutes === Infinity) return 'which may pass by itself'
  return ERROR_KINDS[code].permanent
    ? `temporary for ${minutes} minutes, since what is missing may be new; then a rejection`
    : `temporary: a change takes up to ${minutes} minutes to reach Entra ID`
}

/** Writes the claims of the assertion as placeholders. */
function formatFix(fix) {
  return fix.replaceAll(/\{(\w+)\}/g, (_, name) => `\`${name.toUpperCase()}\``)
}

function capitalize(text) {
  return text[0].toUpperCase() + text.slice(1)
}
