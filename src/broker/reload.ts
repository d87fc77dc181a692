/** Hot reload of the identities file: a valid one is applied, with an invalid one the old one stays. */
import { type Config, loadConfig } from './config/config.ts'
import { type ReadText, readIdentitiesText } from './config/identities-file.ts'
import type { Environment } from './config/settings.ts'
import { ConfigError, toBrokerError } from '../lib/errors.ts'

interface ReloadOptions {
  /** The identities file, with the text that was last read from it; undefined if none is configured. */
  readonly file: { readonly path: string; readonly text: string | undefined } | undefined
  readonly env: Environment
  readonly load?: (env: Environment, readText: ReadText) => Promise<Config>
  /** Reads the file system if it is left out. */
  readonly readText?: ReadText
  readonly applyConfig: (next: Config) => void
  /** Called once for attempts that fail in the same way. */
  readonly rejectConfig: (error: unknown) => void
}

const POLL_MS = 2000

/**
 * Starts to watch the identities file, if there is one. Returns the function that stops it. It polls, because a ConfigMap is
 * replaced by swapping its `..data` link, which does not change the link at the file's own path. A reload that fails is
 * tried again at each poll, since another file that it reads may be the cause, unless the identities file itself is
 * invalid: parsing a large one takes about a second.
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
