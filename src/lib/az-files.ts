/** The file names that the Azure CLI reads among its arguments. */

/**
 * Returns true for an argument that the Azure CLI replaces by the content of a file on the machine where it runs:
 * `@PATH`, also behind the first `=`. There is no way to quote it.
 */
export function namesFileForAz(argument: string): boolean {
  return /^(?:[^=]*=)?@/.test(argument)
}
