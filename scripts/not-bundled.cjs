// Takes the place of packages that a bundle loads and never calls (scripts/build.mjs): calling one throws.
// `constants` is what Fastify and undici read of node:http2.
function notBundled() {
  throw new Error('this package is not part of the bundle: see scripts/build.mjs')
}
module.exports = Object.assign(() => notBundled, { default: () => notBundled, constants: {} })
