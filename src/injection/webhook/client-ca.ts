/** The CAs of client certificates, which are read again when their file changes. */
import { ConfigError } from '../../lib/errors.ts'
import { errorMessage } from '../../lib/describe-error.ts'
import { readNamedFile } from '../../lib/named-file.ts'
import { isCertificates } from '../../lib/pem.ts'
import { watchFile } from '../../lib/watch-file.ts'
import type { Logger } from '../../broker/telemetry/logger.ts'

/** Reads the file. Throws a `ConfigError` if it is not valid; later the old certificates then stay in force. */
export async function loadClientCa(file: string, log: Logger) {
  const text = await readNamedFile(file)
  let pem = checkCertificates(file, text)
  let onChange: (() => void) | undefined

  async function reload(content: Promise<string>): Promise<boolean> {
    try {
      pem = checkCertificates(file, await content)
      onChange?.()
      log.info('config_reloaded', { file })
    } catch (error) {
      log.error('config_reload_failed', { file, message: errorMessage(error) })
    }
    // An invalid file is not read again before it changes.
    return true
  }

  const { poll, close } = watchFile({ path: file, text, readText: readNamedFile, onChange: reload })
  return {
    /** Returns the certificates in force, PEM. */
    pem: () => pem,
    /** Calls the function when others are in force. */
    watch: (listener: () => void) => {
      onChange = listener
      void poll()
    },
    close,
  }
}

/**
 * Returns the text. Throws a `ConfigError` unless it has certificates: with an empty text Node would trust its own
 * roots, and with any other no caller.
 */
function checkCertificates(file: string, pem: string): string {
  if (isCertificates(pem)) return pem
  throw new ConfigError({
    problem: `${file} holds no valid PEM certificates`,
    fix: "write the CA certificates of the API server's client certificate into it",
  })
}
