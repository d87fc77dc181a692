// Copies the rules and the dashboard of the examples to charts/wimds/files, since a chart can read only files of its
// own folder: `node scripts/chart-files.mjs`. A test compares them.
import { copyFileSync } from 'node:fs'

for (const name of ['rules.yaml', 'dashboard.json']) {
  copyFileSync(`examples/observability/${name}`, `charts/wimds/files/${name}`)
}
