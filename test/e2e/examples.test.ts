/** The API server validates every manifest in examples/, as it is and injected, with strict fields. */
import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { afterAll, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { IMAGES } from './support/environment.ts'
import { eventually } from './support/eventually.ts'
import { kubectl, wimds } from './support/run.ts'

const FILES = ['examples/kubernetes', 'examples/services'].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `${folder}/${name}`),
)

const Manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().default('default') }),
})

afterAll(async () => {
  await kubectl(['delete', 'namespace', 'shop-restricted', '--ignore-not-found', '--wait=false'])
  await kubectl(['delete', 'serviceaccount', 'orders', '--ignore-not-found'])
})

const apply = (manifest: string, ...flags: readonly string[]) =>
  kubectl(['apply', '--validate=strict', '-f', '-', ...flags], manifest)

/** A dry run of a pod needs its namespace and ServiceAccount. */
async function prepare(manifest: string): Promise<void> {
  for (const document of parseAllDocuments(manifest)) {
    const { kind, metadata } = Manifest.parse(document.toJS())
    if (kind === 'Namespace') await apply(String(document))
    if (kind !== 'ServiceAccount') continue
    await eventually('the namespace is ready', () => apply(String(document)))
    await eventually('the CA of the namespace exists', () =>
      kubectl(['get', 'configmap', 'kube-root-ca.crt', '--namespace', metadata.namespace]),
    )
  }
}

test.each(FILES)('%s is valid for the API server, as it is and injected', async (file) => {
  const plain = await readFile(file, 'utf8')
  await prepare(plain)
  await apply(plain, '--dry-run=server')
  const images = [`--image=${IMAGES.sidecar}`, `--redirect-image=${IMAGES.redirect}`]
  const { stdout, stderr } = await wimds(['inject', ...images, file])
  expect(stderr).toBe('')
  const applied = await apply(stdout, '--dry-run=server', '--output=yaml')
  expect(applied).toContain(`image: ${IMAGES.sidecar}`)
})
