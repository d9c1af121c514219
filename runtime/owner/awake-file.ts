/** The file in a node's run folder by which its processes tell each other who waits awake (wait-awake.ts). */
export const awakeFile = 'awake'
export const awakeFileBytes: number = 4096
