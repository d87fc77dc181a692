// Lists the packages that have code in the outputs of esbuild, by its metafiles.
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/**
 * Returns directory, name, version and SPDX licence of each package with bytes in an output, sorted by name and version. Nested
 * packages are included.
 */
export async function bundledPackages(metafiles, root) {
  const inputs = metafiles
    .flatMap(({ outputs }) => Object.values(outputs))
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    // Plugins put a namespace before the path: `on-call:/…`.
    .map(([path]) => /^(?:[\w-]+:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter((path) => path !== undefined)
  const directories = [...new Set(inputs.map((path) => resolve(root, path)))]
  const packages = await Promise.all(
    directories.map(async (directory) => {
      const manifest = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
      const { name, version, license } = manifest
      return { directory, name, version, license }
    }),
  )
  return packages.toSorted((one, other) => formatTitle(one).localeCompare(formatTitle(other), 'en'))
}

const formatTitle = ({ name, version }) => `${name} ${version}`
