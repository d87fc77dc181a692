/** Hot reload of the identities file. A valid file is applied. After an invalid one, the old identities stay in use. */
import { type Config, loadConfig } from './config/config.ts'
import { type ReadText, readIdentitiesText } from './config/identities-file.ts'
import type { Environment } from './config/settings.ts'
import { ConfigError, toBrokerError } from '../lib/errors.ts'

interface ReloadOptions {
  /** The identities file, with the text that was last read from it; undefined if none is configured. */
  readonly file: { readonly path: string; readonly text: string | undefined } | undefined
  readonly env: Environment
  readonly load?: (env: Environment, readText: ReadText) => Promise<Config>
  /** Reads the file system by default. */
  readonly readText?: ReadText
  readonly applyConfig: (next: Config) => void
  /** Called when a reload fails, but only once for the same message in a row. */
  readonly rejectConfig: (error: unknown) => void
}

const POLL_MS = 2000

/**
 * Starts to poll the identities file, if there is one. Returns the function that stops the polling. It does not watch the file,
 * because a ConfigMap is replaced by swapping its `..data` link, which does not change the link at the file's own path. A
 * failed reload is repeated at each poll, since another file that it reads may be the cause. It is not repeated if the
 * identities file itself is invalid: parsing a large one takes about a second.
 */
export function watchIdentities({
  file,
  env,
  load = loadConfig,
  readText = readIdentitiesText,
  applyConfig,
  rejectConfig,
}: ReloadOptions): () => void {
  if (file === undefined) return () => {}
  const { path, text } = file
  /** The text that is in use or invalid, and is not loaded again; null after a failure that another file may cause. */
  let done: string | undefined | null = text
  let lastMessage: string | undefined
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function poll(): Promise<void> {
    const content = readText(path)
    const current = await content.catch(() => undefined)
    if (current !== done && !isClosed) done = (await reload(content)) ? current : null
    if (!isClosed) timer = setTimeout(() => void poll(), POLL_MS).unref()
  }

  /** Returns true if the content need not be loaded again: it is in use, or invalid. */
  async function reload(content: Promise<string>): Promise<boolean> {
    try {
      applyConfig(await load(env, () => content))
      lastMessage = undefined
      return true
    } catch (error) {
      const { message } = error instanceof ConfigError ? error : toBrokerError(error)
      if (message !== lastMessage) rejectConfig(error)
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
