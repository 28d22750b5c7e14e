/** Build constant set by asconfig.json: 1 in the debug build, 0 in the shipping one. */
declare const POINTS: i32;
