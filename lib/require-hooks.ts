/** For shims that load scripts. */
export { fileForRequire } from '../runtime/code/require-hooks.ts'
