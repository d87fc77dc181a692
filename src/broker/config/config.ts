/** Reads the environment and the files that it names into one frozen `Config`. */
import { findCloud } from '../../lib/clouds.ts'
import { formatProblem, type Problem } from '../../lib/errors.ts'
import { describeFileError } from '../../lib/describe-error.ts'
import { readWholeFile } from '../../lib/files.ts'
import { isCertificates } from '../../lib/pem.ts'
import { completeInstance } from '../metadata/instance.ts'
import { createDirectory, listTokenFiles } from './directory.ts'
import {
  findIncompleteSettings,
  findListenProblems,
  findPrefetchProblems,
  findRegionProblems,
} from './setting-conflicts.ts'
import { readIdentitiesFile, readIdentitiesText, type ReadText } from './identities-file.ts'
import {
  type Environment,
  findUnknownSettings,
  createConfigError,
  type ParsedSettings,
  parseSettings,
} from './settings.ts'

/** The checked configuration of a command. Times are in milliseconds. */
export type Config = Readonly<ReturnType<typeof createConfig>>

/** PEM certificates to trust; the file that they were read from is read again when it changes. */
export interface TrustedCertificates {
  readonly pem: string
  readonly file?: string | undefined
}

/**
 * Reads the configuration. Throws a `ConfigError` that lists every invalid or missing setting. If there is none, the error
 * lists the problems of the files and of the combination of settings.
 */
export async function loadConfig(
  env: Environment,
  readText: ReadText = readIdentitiesText,
): Promise<Config> {
  const settings = readSettings(env, findIncompleteSettings(env))
  const problems = findListenProblems(settings)
  const identities = await readIdentitiesFile(settings, readText, problems)
  const certificates = await readCertificates(settings, problems)
  const isFileInvalid = settings.WIMDS_CONFIG !== undefined && identities === undefined
  if (isFileInvalid) throw createConfigError(problems)
  const config = createConfig(settings, identities, certificates, env)
  const { directory } = config
  problems.push(...findPrefetchProblems(directory, settings))
  problems.push(...findRegionProblems(directory, settings))
  if (problems.length > 0) throw createConfigError(problems)
  return Object.freeze(config)
}

/** The part of the configuration that needs no identity. */
export type ProcessConfig = Readonly<ReturnType<typeof createProcessConfig>>

/** Reads the settings of connections, exchanges and the log, which need no identity. Throws a `ConfigError`. */
export async function loadProcessConfig(env: Environment): Promise<ProcessConfig> {
  const settings = readSettings(env)
  const problems: Problem[] = []
  const certificates = await readCertificates(settings, problems)
  if (problems.length > 0) throw createConfigError(problems)
  return createProcessConfig(settings, certificates)
}

/** Parses the settings. Throws a `ConfigError` if a setting is not valid, or if there are other problems. */
function readSettings(env: Environment, others: readonly Problem[] = []): ParsedSettings {
  const { settings, problems } = parseSettings(env)
  if (settings === undefined || others.length > 0) {
    throw createConfigError([...problems, ...others])
  }
  return settings
}

/** Reads the CA of WIMDS_CA_FILE, and the CA of the token proxy if there is one. */
async function readCertificates(settings: ParsedSettings, problems: Problem[]) {
  const read = async (
    setting: 'WIMDS_CA_FILE' | 'AZURE_KUBERNETES_CA_FILE',
  ): Promise<TrustedCertificates | undefined> => {
    const file = settings[setting]
    if (file === undefined) return undefined
    try {
      const pem = await readWholeFile(file)
      if (isCertificates(pem)) return { file, pem }
      // Node would ignore such a file.
      const problem = `${file} holds no valid PEM certificates`
      problems.push({ setting, problem, fix: 'write the CA into it as PEM' })
    } catch (error) {
      problems.push({ setting, ...describeFileError(file, error) })
    }
    return undefined
  }
  const { AZURE_KUBERNETES_TOKEN_PROXY: tokenProxy, AZURE_KUBERNETES_CA_DATA: pem } = settings
  const extraCa = await read('WIMDS_CA_FILE')
  if (tokenProxy === undefined) return { extraCa, tokenProxyCa: undefined }
  return { extraCa, tokenProxyCa: pem ? { pem } : await read('AZURE_KUBERNETES_CA_FILE') }
}

/** Returns a warning for each variable that is set and has no effect. */
function findWarnings(env: Environment): string[] {
  return [
    ...findUnknownSettings(env),
    ...(env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0' ? [formatProblem(UNVERIFIED_TLS)] : []),
  ]
}

const UNVERIFIED_TLS = {
  problem:
    'NODE_TLS_REJECT_UNAUTHORIZED=0 has no effect on connections to Entra ID: certificates are always verified',
  fix: 'remove it, and set WIMDS_CA_FILE for a private CA',
}

/** Creates the configuration. Its type is `Config`. */
function createConfig(
  settings: ParsedSettings,
  identities: Awaited<ReturnType<typeof readIdentitiesFile>>,
  certificates: Awaited<ReturnType<typeof readCertificates>>,
  env: Environment,
) {
  const directory = createDirectory(identities?.entries, settings)
  return {
    listen: settings.WIMDS_LISTEN,
    /** Empty: no admin server. */
    adminListen: settings.WIMDS_ADMIN_LISTEN,
    /** Host names allowed in addition to the link-local and loopback ones. */
    allowedHosts: settings.WIMDS_ALLOWED_HOSTS ?? [],
    /** True: token requests to IMDS may have any api-version, or none. */
    isAnyApiVersionAllowed: settings.WIMDS_ANY_API_VERSION,
    ...createProcessConfig(settings, certificates),
    directory,
    /** The identities file as it was read, if there is one. */
    identitiesFile: identities && { path: identities.path, text: identities.text },
    /** The tenant of the default identity, else AZURE_TENANT_ID, else the tenant of the first identity. */
    tenantId:
      directory.defaultIdentity?.tenantId ??
      settings.AZURE_TENANT_ID ??
      directory.identities[0]?.tenantId ??
      '',
    /** True in a pod; the status page then shows another command. The kubelet sets this variable in every container. */
    isInPod: env['KUBERNETES_SERVICE_HOST'] !== undefined,
    /** Every projected token file that an exchange may read. */
    tokenFiles: listTokenFiles(directory, settings.AZURE_FEDERATED_TOKEN_FILE),
    /** The secret of the App Service endpoint; undefined: the endpoint is off. */
    identityHeader: settings.WIMDS_IDENTITY_HEADER,
    /** The routing mode of the pod; undefined: not known. Only doctor needs it. */
    mode: settings.WIMDS_MODE,
    instance: completeInstance(
      settings.WIMDS_INSTANCE,
      findCloud(new URL(settings.AZURE_AUTHORITY_HOST).hostname)?.azEnvironment,
    ),
    /** Paths that are forwarded to the real metadata service; empty: none. */
    passThrough: settings.WIMDS_PASS_THROUGH ?? [],
    /** Warnings of valid settings that are most likely errors. The shell logs them once. */
    warnings: findWarnings(env),
  }
}

function createProcessConfig(
  settings: ParsedSettings,
  { extraCa, tokenProxyCa }: Awaited<ReturnType<typeof readCertificates>>,
) {
  const { HTTPS_PROXY: proxyUrl = settings.https_proxy, NO_PROXY = settings.no_proxy } = settings
  const { AZURE_KUBERNETES_TOKEN_PROXY: tokenProxyUrl } = settings
  return {
    maxConnections: settings.WIMDS_MAX_CONNECTIONS,
    exchange: {
      timeoutMs: settings.WIMDS_EXCHANGE_TIMEOUT,
      audience: settings.WIMDS_AUDIENCE,
      region: settings.AZURE_REGIONAL_AUTHORITY_NAME,
      /**
       * The token proxy of the cluster's identity bindings, if there is one. `sniName` is the name of its certificate, by default
       * the URL's host. `ca` is trusted instead of Node's roots.
       */
      tokenProxy:
        tokenProxyUrl === undefined
          ? undefined
          : { url: tokenProxyUrl, sniName: settings.AZURE_KUBERNETES_SNI_NAME, ca: tokenProxyCa },
      extraCa,
      proxy: proxyUrl && { url: proxyUrl, noProxy: NO_PROXY ?? '' },
    },
    log: {
      level: settings.WIMDS_LOG_LEVEL,
      /** True logs each token that a client library gets for the first time. */
      auditsTokens: settings.WIMDS_AUDIT_LOG,
    },
  }
}
