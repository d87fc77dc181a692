// Replaces packages that a bundle loads but never calls (scripts/build.mjs). A call throws an error. `constants` is there because
// Fastify and undici read it from node:http2.
function notBundled() {
  throw new Error('this package is not part of the bundle: see scripts/build.mjs')
}
module.exports = Object.assign(() => notBundled, { default: () => notBundled, constants: {} })
