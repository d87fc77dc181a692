/** `wimds trust`: lists the federated credentials that a cluster needs in Azure. It writes nothing there. */
import { guid } from '../../service/parsers.ts'
import { formatProblem, UsageError } from '../../lib/errors.ts'
import { DEFAULT_AUDIENCE } from '../../lib/clouds.ts'
import {
  type CommandDeclaration,
  type Flags,
  parseFlags,
  parseSettingFlag,
} from '../../lib/args.ts'
import { isDnsLabel, isGuid } from '../../lib/grammars.ts'
import { printError } from '../../lib/describe-error.ts'
import { readClusterObjects } from './cluster-objects.ts'
import { Report } from './finding.ts'
import { parseExistingList, parseIdentityList } from './inventory.ts'
import { findIssuerProblem, isAudience } from './find-issuer.ts'
import type { TrustOptions } from './needs.ts'
import { formatAzScript } from './output/az.ts'
import { formatJson } from './output/json.ts'
import { formatText } from './output/text.ts'
import { createTrustPlan, type Inventory, type Plan } from './plan.ts'
import type { CommandIo } from '../../lib/command.ts'
import {
  MANIFEST_FLAGS,
  type ManifestArguments,
  NAMESPACE,
  parseManifestArguments,
  readManifests,
} from '../manifest-files.ts'

const TRUST_OUTPUTS = ['text', 'az', 'json'] as const

export const TRUST = {
  name: 'trust',
  group: 'Prepare manifests',
  summary: 'list the federated credentials that the ServiceAccounts of a cluster need',
  arguments: 'FILE...',
  description:
    'Reads ServiceAccounts, workloads and identities files, from manifests or kubectl get -o json, and prints the federated credentials that must exist in Azure: as text, as az commands, or as JSON for Terraform and Bicep. It compares them with those that exist, counts them against the limit of 20 per identity, and writes nothing to Azure. FILE is a file, a directory with all below it, or - for standard input.',
  flags: {
    issuer: {
      value: 'URL',
      help: "issuer of the cluster's tokens, which kubectl get --raw /.well-known/openid-configuration prints; required",
    },
    output: {
      short: 'o',
      value: 'FORMAT',
      choices: TRUST_OUTPUTS,
      help: 'text (the default), az: a script, or json: for Terraform, Bicep and other programs, with a schemaVersion',
    },
    check: {
      help: 'for a pipeline: exits with 1 unless every credential exists as needed; requires --existing',
    },
    ...MANIFEST_FLAGS,
    namespace: NAMESPACE,
    'client-id': {
      value: 'ID',
      help: 'identity of injected workloads whose ServiceAccount names none',
    },
    allow: {
      value: 'ID=NAMESPACES',
      isRepeatable: true,
      help: 'namespaces, separated by commas, that may use the identity with this client id; without it, an identity that several namespaces claim is an error',
    },
    audience: {
      value: 'TEXT',
      help: `audience of the projected tokens (default: ${DEFAULT_AUDIENCE})`,
    },
    identities: {
      group: 'What exists in Azure',
      value: 'FILE',
      isRepeatable: true,
      help: 'output of az identity list with -o json, for names and resource groups of identities',
    },
    application: {
      group: 'What exists in Azure',
      value: 'CLIENT_ID',
      isRepeatable: true,
      help: 'client id of an application registration; others are assumed to be managed identities',
    },
    existing: {
      group: 'What exists in Azure',
      value: 'PATH',
      isRepeatable: true,
      help: 'CLIENT_ID.json, the output of az identity federated-credential list or az ad app federated-credential list with -o json for that identity, or a directory of such files',
    },
  },
  examples: [
    'kubectl get namespaces,serviceaccounts,deployments,statefulsets,daemonsets,cronjobs,configmaps -A -o json | wimds trust --issuer "$ISSUER" -',
    'wimds trust --issuer "$ISSUER" --identities identities.json -o az manifests/ > credentials.sh',
    'wimds trust --issuer "$ISSUER" --identities identities.json --existing existing --check manifests/',
  ],
  exitCodes: {
    1: 'an input cannot be read, the input has no ServiceAccount and no workload, something is left out of the output, or --check fails',
  },
} as const satisfies CommandDeclaration

type TrustFlags = Flags<keyof typeof TRUST.flags>

/**
 * Prints the plan. Returns 0, or 1 if an input cannot be read or something is left out. Throws `UsageError`.
 */
export async function trust(args: readonly string[], io: CommandIo): Promise<number> {
  const flags = parseFlags(args, TRUST)
  const { options, names, templatePaths } = parseOptions(flags)
  const manifests = await readManifests(names, io)
  const problems = [...manifests.problems]
  const inventory = await readInventory(flags, io, problems)
  printError(io, 'wimds trust', ...problems)
  // A plan of a part of the input would report the credentials of the rest as extra.
  if (problems.length > 0) return 1
  const report = new Report()
  const namespace = flags.value('namespace')
  const objects = await readClusterObjects(manifests.files, { namespace, templatePaths }, report)
  const plan = createTrustPlan(objects, inventory, options, report)
  if (objects.serviceAccounts.length + objects.workloads.length === 0 && !report.hasErrors()) {
    report.error(
      'input',
      'nothing could be determined: it has no ServiceAccount and no workload',
      'pass the manifests of both, or the output of kubectl get namespaces,serviceaccounts,deployments,statefulsets,daemonsets,cronjobs -A -o json',
    )
  }
  if (flags.has('check')) reportUnmet(plan, report)
  const output = TRUST_OUTPUTS.find((each) => each === flags.value('output')) ?? 'text'
  if (output === 'az') reportUnnamed(plan, report)
  const lines = report.findings.map(({ severity, object, ...problem }) => {
    return `${severity === 'warning' ? 'warning: ' : ''}${object}: ${formatProblem(problem)}`
  })
  printError(io, 'wimds trust', ...new Set(lines))
  // If there are only errors, standard error has them already, and only programs get a document.
  if (!report.hasErrors() || plan.identities.length > 0 || output === 'json') {
    io.stdout.write(FORMATTERS[output](plan, report.findings))
  }
  return report.hasErrors() ? 1 : 0
}

function parseOptions(flags: TrustFlags): ManifestArguments & { readonly options: TrustOptions } {
  const problems = [...flags.problems]
  const manifests = parseManifestArguments(flags, problems)
  if (flags.has('check') && !flags.has('existing'))
    problems.push('--check compares with the credentials that exist: pass --existing')
  const clientId = parseSettingFlag(flags, 'client-id', guid, problems)
  for (const id of flags.values('application').filter((each) => !isGuid(each))) {
    problems.push(`--application must be a GUID, not ${JSON.stringify(id)}`)
  }
  const allowed = parseAllowed(flags.values('allow'), problems)
  const audience = flags.value('audience') ?? DEFAULT_AUDIENCE
  if (!isAudience(audience)) {
    problems.push(`--audience must be a URI or GUID, not ${JSON.stringify(audience)}`)
  }
  const issuer = flags.value('issuer')
  const issuerProblem = issuer === undefined ? NO_ISSUER : findIssuerProblem(issuer)
  if (issuerProblem !== undefined) problems.push(issuerProblem)
  if (problems.length > 0 || issuer === undefined) throw new UsageError(problems)
  return {
    ...manifests,
    options: { issuer, audience, clientId, allowed },
  }
}

/** Returns the namespaces of each client id. Adds a problem for a text that is not `ID=NAMESPACE,NAMESPACE`. */
function parseAllowed(texts: readonly string[], problems: string[]): Map<string, string[]> {
  const allowed = new Map<string, string[]>()
  for (const text of texts) {
    const [id = '', list = ''] = text.toLowerCase().split('=', 2)
    const namespaces = list.split(',')
    if (!isGuid(id) || !namespaces.every(isDnsLabel)) {
      problems.push(`--allow must be CLIENT_ID=NAMESPACE,NAMESPACE, not ${JSON.stringify(text)}`)
    }
    allowed.set(id, [...(allowed.get(id) ?? []), ...namespaces])
  }
  return allowed
}

const NO_ISSUER =
  '--issuer is required: on AKS az aks show --resource-group GROUP --name CLUSTER --query oidcIssuerProfile.issuerUrl --output tsv prints it, elsewhere kubectl get --raw /.well-known/openid-configuration'

async function readInventory(
  flags: TrustFlags,
  io: CommandIo,
  problems: string[],
): Promise<Inventory> {
  const identities = await readManifests(flags.values('identities'), io)
  const existing = await readManifests(flags.values('existing'), io)
  problems.push(...identities.problems, ...existing.problems)
  return {
    known: [
      ...flags.values('application').map((clientId) => ({
        clientId: clientId.toLowerCase(),
        kind: 'application' as const,
      })),
      ...identities.files.flatMap((file) => parseIdentityList(file, problems)),
    ],
    existing: new Map(existing.files.flatMap((file) => parseExistingList(file, problems))),
  }
}

/** Reports each needed credential that is missing, different or not known, and a plan without any. */
function reportUnmet({ identities }: Plan, report: Report): void {
  if (identities.length === 0 && !report.hasErrors()) {
    const fix = 'pass the ServiceAccounts and workloads that use wimds, or leave out --check'
    report.error('input', '--check compared nothing: the plan has no credential', fix)
  }
  for (const { clientId, credentials } of identities) {
    for (const { state, subject } of credentials) {
      if (state === 'present') continue
      const found = state === 'unknown' ? 'not known' : state
      report.error(clientId, `its federated credential for ${subject} is ${found}`, UNMET_FIX)
    }
  }
}

const UNMET_FIX =
  'write it, such as by the output of -o az; if it is not known, add CLIENT_ID.json to --existing'

/** Reports the managed identities whose names are not known: the script for `az` needs them. */
function reportUnnamed({ identities }: Plan, report: Report): void {
  for (const { clientId, kind, id } of identities) {
    if (kind === 'application' || id !== undefined) continue
    report.error(
      clientId,
      'is left out of the script, since its name and resource group are not known',
      'pass --identities with the output of az identity list, or --application for an application registration',
    )
  }
}

const FORMATTERS = { text: formatText, json: formatJson, az: formatAzScript }
