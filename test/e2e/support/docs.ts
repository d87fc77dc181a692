/** Runs the commands of the pages in the cluster, as a reader would, with the images and the CA under test. */
import { mkdir } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { findCommands, ROOT } from '../../docs/pages.ts'
import { ENTRA_VALUES } from './chart.ts'
import { TENANT_ID } from './entra.ts'
import { IMAGES } from './environment.ts'
import { run } from './run.ts'
import { createFolder } from '../../fixtures/folder.ts'

/** The application of the pages, which the test cluster does not have. */
const CURL_IMAGE = 'docker.io/curlimages/curl:8.16.0'

export interface Reader extends Disposable {
  /** Runs the block with this mark in the page. Returns its output. If a command fails, throws an error with the output. */
  readonly run: (page: string, name: string) => Promise<string>
}

/**
 * Creates a shell for the commands. It replaces the chart by the chart of this checkout, and the application's image by the
 * suite's. To `helm install` and `helm upgrade` it adds the registry and tag of the images under test, and the address and CA
 * of the simulated Entra ID.
 */
export async function createReader(clientId: string): Promise<Reader> {
  const [, registry = 'docker.io/library', tag] = /^(?:(.+)\/)?wimds:([\w.-]+)$/.exec(
    IMAGES.sidecar,
  ) ?? ['', '', undefined]
  if (tag === undefined) {
    throw new Error(`WIMDS_IMAGE is ${IMAGES.sidecar}. Fix: set it to [REGISTRY/]wimds:TAG`)
  }
  const { path: directory, file, write, [Symbol.dispose]: remove } = createFolder()
  const helm = (await run('bash', ['-c', 'command -v helm'])).stdout.trim()
  const values = [
    `--set=global.imageRegistry=${registry}`,
    ...['image', 'redirectImage', 'clusterImage', 'gateImage'].map(
      (name) => `--set=${name}.tag=${tag}`,
    ),
    ...ENTRA_VALUES,
  ]
  const script = [
    '#!/bin/sh',
    `case $1 in install | upgrade) set -- "$@" ${values.join(' ')} ;; esac`,
    `exec ${helm} "$@"\n`,
  ]
  write('helm', script.join('\n'), 0o755)
  const archive = file('artifacts/charts/wimds-0.0.0.tgz')
  await mkdir(dirname(archive), { recursive: true })
  await run('tar', ['-czf', archive, '-C', join(ROOT, 'charts'), 'wimds'])
  const variables = {
    CLIENT_ID: clientId,
    TENANT_ID,
    REGISTRY: registry,
    PATH: [directory, process.env['PATH']].join(delimiter),
  }
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'`)
  return {
    async run(page, name) {
      const commands = findCommands(page, name)
        .replaceAll(CURL_IMAGE, IMAGES.around)
        .replaceAll('oci://ghcr.io/wimds/charts/wimds', archive)
      const lines = ['set -euo pipefail', `cd '${directory}'`, ...exports, commands].join('\n')
      return (await run('bash', ['-c', lines])).stdout
    },
    [Symbol.dispose]: remove,
  }
}
