/** What every JavaScript driver is called with: VARIANT RESOURCE [KIND ID]. */
export function parseArguments(argv = process.argv.slice(2)) {
  const [variant, resource, kind, id] = argv
  return { variant, resource, selector: kind === undefined ? undefined : { kind, id } }
}
