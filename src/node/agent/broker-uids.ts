/** Gives each broker a uid of its own, by links on the node's disk: an agent and its successor run at the same time. */
import { readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from '../../lib/describe-error.ts'
import { ignoreEnded } from './sandboxes.ts'
import { createDirectory } from './saved-pods.ts'

export interface UidRange {
  readonly first: number
  readonly last: number
}

interface UidsOptions {
  readonly range: UidRange
  /** The directory of the state of the node's agents. */
  readonly stateDirectory: string
  /** Returns true if another agent may have a broker with this name. */
  readonly isUsed: (name: string) => boolean
}

/** A link for each uid, which leads to the name of the broker that has it: the kernel creates it for one agent only. */
export class BrokerUids {
  readonly #options: UidsOptions
  readonly #directory: string

  constructor(options: UidsOptions) {
    this.#options = options
    this.#directory = join(options.stateDirectory, 'uids')
  }

  /** Returns the uid of the broker with this name. `own`: those of the agent's brokers. Throws if all uids are in use. */
  claim(name: string, own: ReadonlySet<number>): number {
    const { range, stateDirectory, isUsed } = this.#options
    createDirectory(stateDirectory)
    createDirectory(this.#directory)
    for (;;) {
      const claims = this.#read()
      const earlier = claims.find((claim) => claim.name === name)
      if (earlier !== undefined) return earlier.uid
      const taken = new Set(claims.map(({ uid }) => uid))
      let uid = range.first
      while (taken.has(uid)) uid += 1
      if (uid <= range.last) {
        if (this.#create(uid, name)) return uid
        // Another agent has just claimed it.
        continue
      }
      const unused = claims.find((claim) => !own.has(claim.uid) && !isUsed(claim.name))
      if (unused === undefined) {
        throw new Error(
          `all uids from ${range.first} to ${range.last} are in use. Fix: set a larger range by --broker-uids`,
        )
      }
      rmSync(this.#path(unused.uid), { force: true })
    }
  }

  /** Gives the uid to the broker with that name. */
  rename(uid: number, name: string): void {
    const temporary = `${this.#path(uid)}.${process.pid}`
    // Of an agent that was killed: in a container all have the same process identifier.
    rmSync(temporary, { force: true })
    symlinkSync(name, temporary)
    renameSync(temporary, this.#path(uid))
  }

  #read(): { readonly uid: number; readonly name: string }[] {
    const { first, last } = this.#options.range
    return readdirSync(this.#directory)
      .filter((file) => /^\d+$/.test(file))
      .map(Number)
      .filter((uid) => uid >= first && uid <= last)
      .flatMap((uid) => {
        const name = ignoreEnded(() => readlinkSync(this.#path(uid)))
        return name === undefined ? [] : { uid, name }
      })
  }

  #create(uid: number, name: string): boolean {
    try {
      symlinkSync(name, this.#path(uid))
      return true
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false
      throw error
    }
  }

  #path(uid: number): string {
    return join(this.#directory, `${uid}`)
  }
}
