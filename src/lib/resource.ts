/** The resources that tokens are requested for, and their scopes. */

/** Resources in Entra ID are URIs and GUIDs, so replies that echo one stay ASCII. */
const RESOURCE = /^[\x21-\x7e]{1,2048}$/

/** Returns true if the text can be a resource. */
export function isResource(text: string): boolean {
  return RESOURCE.test(text)
}

/**
 * Returns a resource in the form in which allow-lists compare it: without case, trailing slashes and
 * `/.default`, since Entra ID takes all of these for one resource.
 */
export function normalizeResource(resource: string): string {
  // Without the lookbehind, a long row of slashes takes quadratic time.
  return toResource(resource)
    .replace(/(?<!\/)\/+$/, '')
    .toLowerCase()
}

/**
 * Returns the scope for a resource as an IMDS client names it. A trailing slash is part of the audience
 * and stays, so `https://management.azure.com/` becomes `https://management.azure.com//.default` (E2); a
 * resource that ends in `/.default`, in upper or lower case, is a scope already (R10).
 */
export function toScope(resource: string): string {
  return `${toResource(resource)}/.default`
}

/** Returns the resource of a scope, as clients name it. */
export function toResource(scope: string): string {
  return scope.replace(/\/\.default$/i, '')
}
