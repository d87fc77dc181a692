/** Commands of the Azure CLI, and the arguments that it reads as file names. */
import type { ShellCommand } from './shell.ts'

/** The command that gives a cluster of AKS a public issuer. */
export const ENABLE_OIDC_ISSUER: ShellCommand = {
  words: 'az aks update',
  flags: [['resource-group', 'RESOURCE_GROUP'], ['name', 'CLUSTER'], ['enable-oidc-issuer']],
}

/**
 * Returns true for an argument that the Azure CLI replaces by the content of a file on the machine where it runs:
 * `@PATH`, also behind the first `=`. There is no way to quote it.
 */
export function namesFileForAz(argument: string): boolean {
  return /^(?:[^=]*=)?@/.test(argument)
}
