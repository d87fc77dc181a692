/** Which protocols a sidecar speaks, and on which ports. */
import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import type { Config } from '../../config/config.ts'
import type { Address } from '../../config/values.ts'
import { appService } from '../../dialects/app-service.ts'
import { cloudShell } from '../../dialects/cloud-shell.ts'
import type { Dialect } from '../../dialects/dialect.ts'
import { imds } from '../../dialects/imds.ts'
import { ConfigError } from '../../errors.ts'
import type { StatusDocument } from '../../telemetry/status-schema.ts'
import { type ServerCertificate, serverCertificate, thumbprintOf } from '../service-fabric.ts'

/** A protocol with a port of its own, because its path is that of IMDS. */
interface SpecialPort {
  readonly name: string
  readonly listen: readonly Address[]
  readonly dialect: Dialect
  readonly tls?: ServerCertificate
}

interface SpecialDialects {
  readonly ports: readonly SpecialPort[]
  /** What operators need to know of them. */
  readonly fields: Readonly<Pick<StatusDocument, 'serviceFabricThumbprint'>>
  /** Removes what they left on the disk. */
  readonly close: () => Promise<void>
}

/** The protocols of the main port; those that are guarded by a secret are off without one. */
export function mainDialects({ identityHeader }: Pick<Config, 'identityHeader'>): Dialect[] {
  return [imds, cloudShell, ...(identityHeader === undefined ? [] : appService(identityHeader))]
}

/** Azure Arc and Service Fabric, as far as they are on. Throws `ConfigError`. */
export async function specialDialects(config: Config): Promise<SpecialDialects> {
  const { arc, serviceFabric, identityHeader } = config
  const ports: SpecialPort[] = []
  let fields: SpecialDialects['fields'] = {}
  const closers: (() => Promise<void>)[] = []
  if (arc.listen.length > 0) {
    await requireWritable(arc.keyDirectory)
    const [{ arc: arcDialect }, { arcKeys }] = await Promise.all([
      import('../../dialects/arc.ts'),
      import('../../dialects/arc-keys.ts'),
    ])
    const keys = arcKeys({ directory: arc.keyDirectory })
    ports.push({ name: 'arcAddresses', listen: arc.listen, dialect: arcDialect(keys) })
    closers.push(keys.close)
  }
  if (serviceFabric.listen.length > 0 && identityHeader !== undefined) {
    const tls = await serverCertificate(serviceFabric)
    fields = { serviceFabricThumbprint: thumbprintOf(tls.certPem) }
    const { serviceFabric: dialectOf } = await import('../../dialects/service-fabric.ts')
    const { listen } = serviceFabric
    ports.push({ name: 'serviceFabricAddresses', listen, dialect: dialectOf(identityHeader), tls })
  }
  const close = async () => {
    await Promise.all(closers.map((closer) => closer()))
  }
  return { ports, fields, close }
}

async function requireWritable(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true })
    await access(directory, constants.W_OK)
  } catch (error) {
    throw new ConfigError(
      `WIMDS_ARC_KEY_DIR: ${directory} cannot be written to: mount a volume there that the applications mount too`,
      { cause: error },
    )
  }
}
