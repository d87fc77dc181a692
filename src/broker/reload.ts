/** Hot reload of the identities file: a valid one is applied, with an invalid one the old one stays. */
import { type Config, loadConfig } from './config/config.ts'
import { type ReadText, readIdentitiesText } from './config/identities-file.ts'
import type { Environment } from './config/settings.ts'
import { ConfigError, toBrokerError } from '../lib/errors.ts'
import { errorFields } from './telemetry/describe.ts'
import type { Logger } from './telemetry/logger.ts'

interface ReloadOptions {
  readonly config: Pick<Config, 'identitiesFile'>
  readonly env: Environment
  readonly load?: (env: Environment, readText: ReadText) => Promise<Config>
  /** Reads the file system if it is left out. */
  readonly readText?: ReadText
  readonly log: Logger
  readonly applyConfig: (next: Config) => void
  /**
   * Called after each reload, and once for attempts that fail in the same way; `problem` says why the old
   * identities stay in force.
   */
  readonly onReload: (problem: string | undefined) => void
}

const POLL_MS = 2000

/**
 * Starts to watch the identities file, if there is one. Returns the function that stops it. It polls, because a ConfigMap is
 * replaced by swapping its `..data` link, which does not change the link at the file's own path. A reload that fails is
 * tried again at each poll, since another file that it reads may be the cause, unless the identities file itself is
 * invalid: parsing a large one takes about a second.
 */
export function watchIdentities({
  config: { identitiesFile },
  env,
  load = loadConfig,
  readText = readIdentitiesText,
  log,
  applyConfig,
  onReload,
}: ReloadOptions): () => void {
  if (identitiesFile === undefined) return () => {}
  const { path, text } = identitiesFile
  /** The text that needs no other attempt. */
  let done: string | undefined = text
  let lastMessage: string | undefined
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function poll(): Promise<void> {
    const content = readText(path)
    const current = await content.catch(() => undefined)
    if (current !== done && !isClosed && (await reload(content))) done = current
    if (!isClosed) timer = setTimeout(() => void poll(), POLL_MS).unref()
  }

  /** Returns whether the content needs no other attempt. */
  async function reload(content: Promise<string>): Promise<boolean> {
    try {
      const next = await load(env, () => content)
      applyConfig(next)
      onReload(undefined)
      log.info('config_reloaded', { file: path, identities: next.directory.identities.length })
      lastMessage = undefined
      return true
    } catch (error) {
      const { message } = error instanceof ConfigError ? error : toBrokerError(error)
      if (message !== lastMessage) {
        const at = new Date().toISOString().slice(0, 19).replace('T', ' ')
        const problem = `the identities file has changed (read at ${at} UTC), but the old one is still in use: ${message}`
        onReload(problem)
        const fields = error instanceof ConfigError ? { message } : errorFields(error)
        log.error('config_reload_failed', { file: path, ...fields })
      }
      lastMessage = message
      const problems = error instanceof ConfigError ? error.problems : []
      return problems.some(({ setting }) => setting === 'WIMDS_CONFIG')
    }
  }

  void poll()
  return () => {
    isClosed = true
    clearTimeout(timer)
  }
}
