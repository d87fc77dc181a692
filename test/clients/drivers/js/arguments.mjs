/** Parses the arguments of every JavaScript driver: VARIANT RESOURCE [KIND ID]. */
export function parseArguments(argv = process.argv.slice(2)) {
  const [variant, resource, kind, id] = argv
  return { variant, resource, selector: kind === undefined ? undefined : { kind, id } }
}
