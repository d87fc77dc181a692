// Lists the packages of the lock file, and which of them are bundled.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** The SBOMs that the build writes. */
export const SBOMS = ['dist/sbom.cdx.json', 'dist/demo/sbom.cdx.json']

/** Returns path, name, version, SPDX licence and `isBundled` of each package of this lock file. */
export function lockedPackages(lockFile, sboms) {
  const bundled = new Set(
    sboms.flatMap((sbom) =>
      readJson(sbom).components.map((each) => `${each.name} ${each.version}`),
    ),
  )
  return (
    Object.entries(readJson(lockFile).packages)
      // Without the project itself and its workspaces, which are links.
      .filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
      .map(([path, { name = path.replace(/^.*node_modules\//, ''), version, license }]) => {
        return { path, name, version, license, isBundled: bundled.has(`${name} ${version}`) }
      })
  )
}

const readJson = (file) => JSON.parse(readFileSync(resolve(file), 'utf8'))
