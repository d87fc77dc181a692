// Writes a generated page, in the project's format. With --check it writes nothing, and makes the process exit with 1 if the page
// is not current.
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

/** `page` is its path in the repository, `command` what a reader runs to write it, `options` Prettier's. */
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
