/** Hot reload of the identities file: a valid one is applied, with an invalid one the old one stays. */
import { type Config, loadConfig } from '../../config/config.ts'
import { readIdentitiesText } from '../../config/identities-file.ts'
import type { Environment } from '../../config/settings.ts'
import { watchFile } from '../../lib/watch-file.ts'
import { ConfigError } from '../../errors.ts'
import type { Logger } from '../../telemetry/logger.ts'

interface ReloadOptions {
  readonly config: Pick<Config, 'identitiesFile'>
  readonly env: Environment
  readonly log: Logger
  readonly applyConfig: (next: Config) => void
  /** Called after each reload; `problem` says why the old identities stay in force. */
  readonly onReload: (problem: string | undefined) => void
}

/** Starts to watch the identities file, if there is one. Returns the function that stops it. */
export function watchIdentities({
  config: { identitiesFile },
  env,
  log,
  applyConfig,
  onReload,
}: ReloadOptions): () => void {
  if (identitiesFile === undefined) return () => {}
  const { path, text } = identitiesFile

  async function reload(): Promise<void> {
    try {
      const next = await loadConfig(env)
      applyConfig(next)
      onReload(undefined)
      log.info('config_reloaded', { file: path, identities: next.directory.identities.length })
    } catch (error) {
      const problem = error instanceof ConfigError ? error.message : 'it cannot be read'
      const at = new Date().toISOString().slice(0, 19).replace('T', ' ')
      onReload(
        `the identities file has changed (read at ${at} UTC), and the old one is still in use: ${problem}. Fix: correct the file; it is read again by itself`,
      )
      log.error('config_reload_failed', { file: path, message: problem })
    }
  }

  const watch = watchFile({ path, text, readText: readIdentitiesText, onChange: reload })
  void watch.poll()
  return watch.close
}
