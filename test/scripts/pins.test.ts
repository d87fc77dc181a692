/** Renovate finds the pinned versions of scripts and workflows, except those of a list. */
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { z } from 'zod'

const Renovate = z.object({
  customManagers: z.array(
    z.object({
      managerFilePatterns: z.array(z.string()),
      matchStrings: z.array(z.string()),
    }),
  ),
})

/** Versions that a person changes, by file. */
const UNSEEN = {
  // containerd.
  '.ci/common.sh': '2.1.9',
  // Kubernetes and containerd.
  '.ci/stages/minors': '1.35.4 1.36.3 1.37.2 1.7.33',
  // The oldest Node that runs the command line, two later ones, and one that it refuses.
  '.ci/stages/nodes': '20.20.2 22.19.0 24.11.0 26.10.0',
  // Those of Kubernetes.
  '.github/workflows/e2e.yml': '1.34.4 1.35.4 1.36.3 1.37.2',
  // containerd, which the kit builds, and node-fetch of verdaccio.
  'scripts/release/rehearse.sh': '2.1.9 2.7.0',
  'test/e2e/kind.sh': '1.37.2',
  // The specification of containers.
  'test/vm/container.sh': '1.0.2',
}

const FILES = execFileSync('git', ['ls-files', '.ci', '.github/workflows', '*.sh'], {
  encoding: 'utf8',
})
  .trim()
  .split('\n')
  .filter((file) => !file.endsWith('.json'))

const { customManagers } = Renovate.parse(
  JSON.parse(await readFile('.github/renovate.json', 'utf8')),
)

/** Returns the versions of a file that are left when Renovate has taken its own. */
async function findUnseen(file: string): Promise<string> {
  const text = await readFile(file, 'utf8')
  const patterns = customManagers
    .filter((manager) =>
      manager.managerFilePatterns.some((path) => new RegExp(path.slice(1, -1)).test(file)),
    )
    .flatMap((manager) => manager.matchStrings)
  const left = [...patterns, String.raw`uses: \S+@[0-9a-f]{40} # v[\d.]+`].reduce(
    (rest, pattern) => rest.replaceAll(new RegExp(pattern, 'g'), ''),
    text.replaceAll(/^ *#.*$|^ *\/\/.*$/gm, ''),
  )
  const versions = left.match(/(?<![\d.])\d+\.\d+\.\d+(?![\d.])/g)
  return [...new Set(versions)].toSorted().join(' ')
}

test('Renovate finds each pinned version but those of a list', async () => {
  const unseen = await Promise.all(
    FILES.map(async (file) => [file, await findUnseen(file)] as const),
  )
  expect(Object.fromEntries(unseen.filter(([, versions]) => versions !== ''))).toEqual(UNSEEN)
})

test('Renovate finds the programs of the release', async () => {
  const text = await readFile('scripts/release/tools.sh', 'utf8')
  const [pattern = ''] = customManagers.flatMap(({ matchStrings }) => matchStrings)
  const found = [...text.matchAll(new RegExp(pattern, 'g'))].map(
    ({ groups }) => groups?.['depName'],
  )
  expect(found).toEqual([
    'github.com/distribution/distribution/v3',
    'github.com/sigstore/cosign/v3',
  ])
})
