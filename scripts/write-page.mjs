// Writes a generated page, formatted by Prettier. With --check writes nothing, and makes the process exit with 1 if the page is not
// current.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

/** Writes `page`, a path in the repository. `command` is the command that writes it, for the message. `options` are Prettier's. */
export async function writePage(page, text, command, options = {}) {
  const path = fileURLToPath(new URL(`../${page}`, import.meta.url))
  const formatted = await format(text, {
    ...(await resolveConfig(path)),
    ...options,
    filepath: path,
  })
  if (!process.argv.includes('--check')) {
    await writeFile(path, formatted)
  } else if ((await readFile(path, 'utf8').catch(() => undefined)) !== formatted) {
    process.stderr.write(`${page} is not current. Fix: ${command}\n`)
    process.exitCode = 1
  }
}
