"""Shaders of shadow maps: fit them, draw them, look into them; see `envs.rendering.cpu.shadow` for the methods."""

from __future__ import annotations

from envs.rendering.gpu.shaders.layout import (
    BUFFERS,
    DEPTH_UNIT,
    INSTANCE_ROWS,
    LIGHT_ROWS,
    LIGHTS,
    MAP_OWNERS,
    MAP_ROWS,
    MAP_UNIT,
    MAPS,
    VERSION,
    VIEW_ROWS,
)

_NEAR_LAMP_M = 0.02
# Threads that fit one map.
FIT_THREADS = 128

_KINDS = f"""
const float NONE = 0.0, PARALLEL = 1.0, CENTRAL = 2.0;
const float NEAR_LAMP = {_NEAR_LAMP_M};
"""

FIT = (
    VERSION
    + f"layout(local_size_x = {FIT_THREADS}) in;\n"
    + BUFFERS
    + _KINDS
    + f"""
layout(std430, binding = {LIGHTS}) readonly buffer Lights {{ vec4 lights[]; }};
layout(std430, binding = {MAPS}) writeonly buffer Maps {{ vec4 maps[]; }};
layout(std430, binding = {MAP_OWNERS}) readonly buffer MapOwners {{ uvec2 owners[]; }};
layout(binding = {DEPTH_UNIT}) uniform sampler2D depths;
uniform ivec2 size_px;
uniform int side;
uniform float near_m;
uniform uint tiles_x;
uniform uint instance_count;
uniform uint light_count;
uniform float map_size;
const int STRIDE = 4;

// Least and greatest of each map coordinate: of visible points, of casters; and the casters' nearness.
shared uint low[5];
shared uint high[5];

uint ordered(float x) {{
    uint b = floatBitsToUint(x);
    return (b & 0x80000000u) != 0u ? ~b : b | 0x80000000u;
}}

float unordered(uint b) {{
    return uintBitsToFloat((b & 0x80000000u) != 0u ? b & 0x7fffffffu : ~b);
}}

void widen(uint k, float x, float radius) {{
    atomicMin(low[k], ordered(x - radius));
    atomicMax(high[k], ordered(x + radius));
}}

void hold(uint k, vec3 p, float radius, mat3 axes, bool central) {{
    vec3 q = p * axes;
    if (k == 2u) widen(4u, q.z, radius);
    if (central) {{
        float depth = -q.z;
        if (depth + radius < NEAR_LAMP) return;
        depth = max(depth - radius, NEAR_LAMP);
        q /= depth;
        radius /= depth;
    }}
    widen(k, q.x, radius);
    widen(k + 1u, q.y, radius);
}}

void main() {{
    uint slot = gl_WorkGroupID.x;
    uint lane = gl_LocalInvocationID.x;
    uint view = owners[slot].x;
    if (lane < 5u) {{
        low[lane] = ordered(1e30);
        high[lane] = ordered(-1e30);
    }}
    barrier();
    vec4 light = lights[(view * light_count + owners[slot].y) * {LIGHT_ROWS}u];
    bool central = light.w > 0.0;
    vec3 origin = central ? light.xyz : vec3(0.0);
    vec3 along = central ? origin - views[view * {VIEW_ROWS}u + 9u].xyz : light.xyz;
    along /= max(length(along), 1e-9);
    vec3 across = abs(along.x) < 0.7 ? vec3(0.0, along.z, -along.y) : vec3(-along.z, 0.0, along.x);
    across = normalize(across);
    mat3 axes = mat3(across, cross(along, across), along);

    vec4 focal = views[view * {VIEW_ROWS}u];
    focal = vec4(focal.xy, focal.zw + 0.5) * float(side);
    ivec2 wide = size_px * side;
    ivec2 corner = ivec2(view % tiles_x, view / tiles_x) * wide;
    ivec2 points = (wide - STRIDE / 2 + STRIDE - 1) / STRIDE;
    for (int k = int(lane); k < points.x * points.y; k += {FIT_THREADS}) {{
        ivec2 at = ivec2(k % points.x, k / points.x) * STRIDE + STRIDE / 2;
        float d = texelFetch(depths, corner + at, 0).r;
        if (d < 1.0) {{
            float z = near_m / (1.0 - d);
            hold(0u, vec3((vec2(at) + 0.5 - focal.zw) / focal.xy * z, z) - origin, 0.0, axes, central);
        }}
    }}
    for (uint i = lane; i < instance_count; i += {FIT_THREADS}u) {{
        vec4 ball = instances[(view * instance_count + i) * {INSTANCE_ROWS}u + 3u];
        if (ball.w >= 0.0) hold(2u, ball.xyz - origin, ball.w, axes, central);
    }}
    barrier();
    if (lane > 0u) return;
    vec2 start = max(vec2(unordered(low[0]), unordered(low[1])), vec2(unordered(low[2]), unordered(low[3])));
    vec2 stop = min(vec2(unordered(high[0]), unordered(high[1])), vec2(unordered(high[2]), unordered(high[3])));
    if (central) {{
        start = max(start, vec2(-3.0));
        stop = min(stop, vec2(3.0));
    }}
    uint to = slot * {MAP_ROWS}u;
    if (!(start.x < stop.x && start.y < stop.y)) {{
        maps[to + 4u] = vec4(0.0, NONE, 0.0, 1.0);
        return;
    }}
    // Two texels of margin on each side.
    vec2 scale = (map_size - 5.0) / (stop - start);
    vec2 shift = 2.0 - start * scale;
    vec3 right = axes[0] * scale.x, down = axes[1] * scale.y;
    vec4 x = vec4(right, -dot(right, origin)), y = vec4(down, -dot(down, origin));
    // The light looks along its third axis: distance along it is depth, negated.
    vec4 near = vec4(along, -dot(along, origin)), depth = vec4(0.0, 0.0, 0.0, 1.0);
    if (central) {{
        depth = -near;
        near = vec4(0.0, 0.0, 0.0, 1.0);
    }}
    maps[to] = x + shift.x * depth;
    maps[to + 1u] = y + shift.y * depth;
    maps[to + 2u] = near;
    maps[to + 3u] = depth;
    float farthest = unordered(low[4]), nearest = unordered(high[4]);
    float margin = 0.01 * (nearest - farthest) + 1e-4;
    float kind = central ? CENTRAL : PARALLEL;
    maps[to + 4u] = vec4(1.0 / min(scale.x, scale.y), kind, farthest - margin, nearest + margin);
}}
"""
)

VERTEX = (
    VERSION
    + BUFFERS
    + _KINDS
    + f"""
layout(std430, binding = {MAPS}) readonly buffer Maps {{ vec4 maps[]; }};
in vec3 in_position;
in uvec2 in_pair;
uniform uint tiles_x;
uniform vec2 atlas_px;
uniform float map_size;
out float gl_ClipDistance[4];

void main() {{
    uint k = in_pair.x * {MAP_ROWS}u;
    vec4 about = maps[k + 4u];
    vec4 p = vec4(in_camera(in_pair.y, in_position), 1.0);
    float w = dot(maps[k + 3u], p);
    vec2 at = vec2(dot(maps[k], p), dot(maps[k + 1u], p)) + 0.5 * w;
    bool none = about.y == NONE;
    gl_ClipDistance[0] = none ? -1.0 : at.x;
    gl_ClipDistance[1] = map_size * w - at.x;
    gl_ClipDistance[2] = at.y;
    gl_ClipDistance[3] = map_size * w - at.y;
    float depth = w - 2.0 * NEAR_LAMP;
    if (about.y == PARALLEL) depth = 2.0 * (about.w - dot(maps[k + 2u], p)) / (about.w - about.z) - 1.0;
    vec2 corner = vec2(in_pair.x % tiles_x, in_pair.x / tiles_x) * map_size;
    gl_Position = none ? vec4(0.0, 0.0, 0.0, 1.0) : vec4((at + corner * w) * 2.0 / atlas_px - w, depth, w);
}}
"""
)

FRAGMENT = VERSION + "void main() {}\n"

# How much of a light reaches a point.
LIT_SHARE = (
    _KINDS
    + f"""
layout(std430, binding = {MAPS}) readonly buffer Maps {{ vec4 maps[]; }};
layout(binding = {MAP_UNIT}) uniform sampler2D shadows;
uniform uint map_tiles_x;
uniform int map_size;

// Depths in a map go from 0, nearest to the light, to 1, where no caster is.
float lit_texels(ivec2 corner, vec2 at, float depth) {{
    ivec2 k = ivec2(at);
    vec2 f = at - vec2(k);
    k += corner;
    vec4 d = vec4(
        texelFetch(shadows, k, 0).r,
        texelFetch(shadows, k + ivec2(1, 0), 0).r,
        texelFetch(shadows, k + ivec2(0, 1), 0).r,
        texelFetch(shadows, k + ivec2(1, 1), 0).r
    );
    vec4 lit = vec4(greaterThanEqual(d, vec4(depth)));
    vec2 rows = mix(lit.xz, lit.yw, f.x);
    return mix(rows.x, rows.y, f.y);
}}

float lit_share(uint slot, float spread, vec3 p, vec3 normal) {{
    uint k = slot * {MAP_ROWS}u;
    vec4 about = maps[k + 4u];
    if (about.y == NONE) return 1.0;
    bool central = about.y == CENTRAL;
    float texel = about.x, away = 1.0;
    if (central) {{
        away = dot(maps[k + 3u], vec4(p, 1.0));
        if (away <= NEAR_LAMP) return 1.0;
        texel *= away;
    }}
    // A point is compared from a little above its surface, by a texel and a half, against its own shadow.
    vec4 q = vec4(p + 1.5 * texel * normal, 1.0);
    vec2 at = vec2(dot(maps[k], q), dot(maps[k + 1u], q));
    float range = about.w - about.z, depth;
    if (central) {{
        away = dot(maps[k + 3u], q);
        if (away <= NEAR_LAMP) return 1.0;
        at /= away;
        depth = 1.0 - NEAR_LAMP / (away - 0.3 * texel);
    }} else {{
        depth = (about.w - dot(maps[k + 2u], q) - 0.3 * texel) / range;
    }}
    depth = min(depth, 1.0);
    float edge = float(map_size - 2);
    if (!(all(greaterThanEqual(at, vec2(1.0))) && all(lessThan(at, vec2(edge))))) return 1.0;
    ivec2 corner = ivec2(slot % map_tiles_x, slot / map_tiles_x) * map_size;
    if (spread <= 0.0) return lit_texels(corner, at, depth);

    float reach = 0.5 * spread / (central ? max(away, NEAR_LAMP) : 1.0);
    float radius = clamp(reach / texel, 1.0, 12.0), found = 0.0, gap = 0.0;
    for (int j = 0; j < 16; j++) {{
        vec2 to = clamp(at + radius * (vec2(j & 3, j >> 2) - 1.5) * 0.5, vec2(1.0), vec2(edge));
        float d = texelFetch(shadows, corner + ivec2(to), 0).r;
        if (d < depth) {{
            found += 1.0;
            gap += central ? away - NEAR_LAMP / (1.0 - d) : (depth - d) * range;
        }}
    }}
    if (found == 0.0) return 1.0;
    gap /= found;
    radius = spread * gap / (central ? max(away - gap, NEAR_LAMP) : 1.0);
    radius = clamp(radius / texel, 1.0, 12.0);
    float total = 0.0;
    for (int j = 0; j < 16; j++) {{
        vec2 to = clamp(at + radius * (vec2(j & 3, j >> 2) - 1.5) * 0.5, vec2(1.0), vec2(edge - 1.0));
        total += lit_texels(corner, to, depth);
    }}
    return total / 16.0;
}}
"""
)


def map_size(width_px: int, height_px: int) -> int:
    """Return the side of the shadow maps for pictures of this size, as `envs.rendering.cpu.rasterizer.map_size`."""
    longest = max(width_px, height_px)
    return int(min(512, max(96, 32 * -(-longest * 5 // 4 // 32))))
