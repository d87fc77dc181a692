/** Stops a run of the tests at once if dist/ is missing, which many of them run. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export default function requireBuild(): void {
  const program = fileURLToPath(new URL('../../dist/wimds.js', import.meta.url))
  if (!existsSync(program)) throw new Error(`${program} is missing. Fix: npm run setup`)
}
