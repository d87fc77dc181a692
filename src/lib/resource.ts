/** The resources that tokens are requested for, and their scopes. */

/** Resources in Entra ID are URIs and GUIDs, so replies that echo one stay ASCII. */
const RESOURCE = /^[\x21-\x7e]{1,2048}$/

/** Returns true if the text can be a resource. */
export function isResource(text: string): boolean {
  return RESOURCE.test(text)
}

/**
 * Normalizes a resource for comparison with allow-lists: in lower case, without trailing slashes and `/.default`. Entra ID
 * treats all these forms as one resource.
 */
export function normalizeResource(resource: string): string {
  // Without the lookbehind, many slashes in a row take quadratic time.
  return toResource(resource)
    .replace(/(?<!\/)\/+$/, '')
    .toLowerCase()
}

/**
 * Returns the scope for a resource from an IMDS client. A trailing slash is part of the audience and stays:
 * `https://management.azure.com/` becomes `https://management.azure.com//.default` (E2). A resource that ends in `/.default`,
 * in upper or lower case, is already a scope (R10).
 */
export function toScope(resource: string): string {
  return `${toResource(resource)}/.default`
}

/** Returns the resource of a scope, as clients name it. */
export function toResource(scope: string): string {
  return scope.replace(/\/\.default$/i, '')
}
