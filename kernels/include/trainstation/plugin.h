/* The one door of a plugin. Its own file defines TS_RULES, the header that lists its rules, and includes this; the
 * tables that loop.h made of them are named ts_plugin_scalar, ts_plugin_avx2, ts_plugin_avx512, ts_plugin_neon. */
#include "trainstation/trainstation.h"

#include <stddef.h>

#define TS_RULE_LIST_ONLY
#include TS_RULES

#define TS_PLUGIN_PLACE(name, n_states, n_scalars, kinds) TS_PLACE_##name,
enum { TS_RULE_LIST(TS_PLUGIN_PLACE) TS_N_RULES };

typedef ts_rule_fn *const ts_plugin_table[TS_N_RULES][TS_N_FORMATS];
extern ts_plugin_table ts_plugin_scalar __attribute__((visibility("hidden")));
#if defined(TS_X86)
extern ts_plugin_table ts_plugin_avx2 __attribute__((visibility("hidden")));
extern ts_plugin_table ts_plugin_avx512 __attribute__((visibility("hidden")));
#define TS_PLUGIN_WIDER(place) ts_plugin_avx2[place], ts_plugin_avx512[place], NULL
#elif defined(TS_ARM64)
extern ts_plugin_table ts_plugin_neon __attribute__((visibility("hidden")));
#define TS_PLUGIN_WIDER(place) NULL, NULL, ts_plugin_neon[place]
#else
#define TS_PLUGIN_WIDER(place) NULL, NULL, NULL
#endif

#define TS_PLUGIN_RULE(name, n_states, n_scalars, kinds)                                                     \
    {#name, n_states, n_scalars, kinds, {ts_plugin_scalar[TS_PLACE_##name], TS_PLUGIN_WIDER(TS_PLACE_##name)}},
static const ts_rule ts_plugin_rules[TS_N_RULES] = {TS_RULE_LIST(TS_PLUGIN_RULE)};

const ts_plugin *trainstation_plugin_v1(void) {
    static const ts_plugin plugin = {TS_PLUGIN_HEAD, TS_N_RULES, ts_plugin_rules};
    return &plugin;
}
