/** Which protocols the sidecar speaks. */
import type { Config } from '../../config/config.ts'
import { createAppServiceDialects } from '../../dialects/app-service.ts'
import { cloudShell } from '../../dialects/cloud-shell.ts'
import type { Dialect } from '../../dialects/dialect.ts'
import { imds } from '../../dialects/imds.ts'

/** Returns the dialects of the sidecar's port; App Service's are off without their secret. */
export function createDialects({ identityHeader }: Pick<Config, 'identityHeader'>): Dialect[] {
  return [
    imds,
    cloudShell,
    ...(identityHeader === undefined ? [] : createAppServiceDialects(identityHeader)),
  ]
}
