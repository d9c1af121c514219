/** Folders of this user: that of the system, and Outpool's in it. */
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { OutpoolError } from './errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * `HOME`, else what the system knows of the user. undefined where that is nothing, as in a container that is run under a
 * number which nobody has (Node's own `homedir()` throws there, and takes an empty `HOME` for the working folder).
 */
export function homeFolder(
  environment: Environment = process.env,
  known: () => string = () => userInfo().homedir,
): string | undefined {
  const named = environment['HOME']
  if (named) return named
  try {
    return known() || undefined
  } catch {
    return undefined
  }
}

/**
 * Outpool's folder of this user: the token, and what is known of the nodes that were started on this machine.
 * `OUTPOOL_HOME`, else `$XDG_CONFIG_HOME/outpool` where `XDG_CONFIG_HOME` is set, else `~/.outpool`; undefined for a user
 * without a home folder.
 */
export function findOutpoolHome(
  environment: Environment = process.env,
  home: (environment: Environment) => string | undefined = homeFolder,
): string | undefined {
  const { OUTPOOL_HOME: own, XDG_CONFIG_HOME: config } = environment
  if (own) return own
  if (config) return join(config, 'outpool')
  const folder = home(environment)
  return folder === undefined ? undefined : join(folder, '.outpool')
}

/** The same where it is needed: throws OutpoolError where there is none. */
export function outpoolHome(environment: Environment = process.env): string {
  const folder = findOutpoolHome(environment)
  if (folder === undefined) throw new OutpoolError(noHomeText())
  return folder
}

/** Why there is no folder, and what to do. */
export function noHomeText(): string {
  const user = process.getuid === undefined ? 'this user' : `this user (${process.getuid()})`
  return (
    `${user} has no home folder: HOME is not set, and the system has no entry for it; set OUTPOOL_HOME to a folder ` +
    'that it can write to'
  )
}
