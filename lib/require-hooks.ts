/** For shims that load scripts. */
export { fileForRequire, isReadByRequire } from '../runtime/code/require-hooks.ts'
