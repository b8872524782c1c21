"""The shader that makes pictures from names; see `envs.rendering.cpu` for the methods."""

from __future__ import annotations

from envs.rendering.gpu.shaders.layout import (
    BUFFERS,
    DEPTH,
    DEPTH_UNIT,
    INSTANCE_NUMBERS,
    INSTANCE_ROWS,
    LIGHT_ROWS,
    LIGHTS,
    NAME_UNIT,
    NORMAL,
    PARTS,
    PICTURES,
    RGB,
    SEGMENT,
    TEXEL_ROW,
    TEXEL_UNIT,
    TEXTURES,
    TRIANGLES,
    VERSION,
    VERTICES,
    VIEW_ROWS,
)
from envs.rendering.gpu.shaders.shadow_maps import LIT_SHARE

# Pixels that one group of threads makes: a multiple of four, so that whole words are written.
PIXELS_A_GROUP = 64
# Samples by which neighbouring triangles overlap, as in `envs.rendering.cpu.raster`.
_OVERLAP = 1e-3

_DATA = f"""
layout(local_size_x = {PIXELS_A_GROUP}) in;
layout(std430, binding = {LIGHTS}) readonly buffer Lights {{ vec4 lights[]; }};
layout(std430, binding = {VERTICES}) readonly buffer Vertices {{ vec4 vertices[]; }};
layout(std430, binding = {TRIANGLES}) readonly buffer Triangles {{ uvec4 triangles[]; }};
layout(std430, binding = {PARTS}) readonly buffer Parts {{ vec4 parts[]; }};
layout(std430, binding = {TEXTURES}) readonly buffer Textures {{ ivec2 textures[]; }};
layout(std430, binding = {INSTANCE_NUMBERS}) readonly buffer InstanceNumbers {{ ivec4 numbers[]; }};
layout(std430, binding = {PICTURES}) readonly buffer Pictures {{ uint pictures[]; }};
layout(std430, binding = {RGB}) writeonly buffer Rgb {{ uint out_rgb[]; }};
layout(std430, binding = {DEPTH}) writeonly buffer Depth {{ uint out_depth[]; }};
layout(std430, binding = {SEGMENT}) writeonly buffer Segment {{ uint out_segment[]; }};
layout(binding = {NAME_UNIT}) uniform usampler2D names;
layout(binding = {DEPTH_UNIT}) uniform sampler2D depths;
layout(binding = {TEXEL_UNIT}) uniform usampler2D texels;
uniform ivec2 size_px;
uniform uint pixel_count;
uniform uint tiles_x;
uniform uint instance_count;
uniform uint light_count;
uniform uint triangle_bits;
const uint NOTHING = 0xffffffffu, DONE = 0xfffffffeu;
const float TINY = 1e-20, NO_DEPTH = -1.0;
"""

_TEXTURE = f"""
uvec4 texel_at(int k) {{
    uint t = texelFetch(texels, ivec2(k & {TEXEL_ROW - 1}, k / {TEXEL_ROW}), 0).r;
    return (uvec4(t) >> uvec4(0u, 8u, 16u, 24u)) & 255u;
}}

vec3 texel(ivec2 texture_, float density, vec2 uv) {{
    int start = texture_.x, size = texture_.y;
    while (density > 2.0 && size > 1) {{
        start += size * size;
        size >>= 1;
        density *= 0.25;
    }}
    vec2 at = vec2(uv.x, 1.0 - uv.y) * float(size) - 0.5, whole = floor(at), f = at - whole;
    ivec2 a = ivec2(whole) & (size - 1), b = (ivec2(whole) + 1) & (size - 1);
    vec3 top = mix(vec3(texel_at(start + a.y * size + a.x)), vec3(texel_at(start + a.y * size + b.x)), f.x);
    vec3 low = mix(vec3(texel_at(start + b.y * size + a.x)), vec3(texel_at(start + b.y * size + b.x)), f.x);
    return mix(top, low, f.y) / 255.0;
}}
"""

_BACKGROUND = f"""
float picture_byte(uint k) {{
    return float((pictures[k >> 2u] >> ((k & 3u) * 8u)) & 255u) / 255.0;
}}

vec3 background(uint view, ivec2 pixel, vec3 ray) {{
    uint k = view * {VIEW_ROWS}u;
    vec4 own = views[k + 2u];
    float kind = views[k + 1u].w;
    if (kind == 0.0) return own.rgb;
    if (kind == 1.0) {{
        uint at = ((uint(own.w) * uint(size_px.y) + uint(pixel.y)) * uint(size_px.x) + uint(pixel.x)) * 3u;
        return own.rgb * vec3(picture_byte(at), picture_byte(at + 1u), picture_byte(at + 2u));
    }}
    vec3 along = ray * inversesqrt(dot(ray, ray));
    float up = dot(views[k + 3u].xyz, along), glow = max(dot(views[k + 4u].xyz, along), 0.0);
    glow *= glow; glow *= glow; glow *= glow; glow *= glow;
    vec3 horizon = views[k + 6u].rgb, other = up >= 0.0 ? views[k + 5u].rgb : views[k + 7u].rgb;
    return own.rgb * (mix(horizon, other, sqrt(abs(up))) + glow * views[k + 8u].rgb);
}}
"""

_SHADE = f"""
// Colour, depth, unit normal and segment of the named triangle where it meets a ray of length 1 along z; and its
// inverse depth on another ray, 0 where that one passes by.
void shade(
    uint view, uint name, vec3 ray, vec3 middle, vec3 back,
    out vec3 rgb, out float z, out vec3 normal, out uint segment, out float nearness
) {{
    uint number = view * instance_count + (name >> triangle_bits), k = number * {INSTANCE_ROWS}u;
    ivec4 own = numbers[number];
    uvec4 triangle = triangles[uint(own.y) + (name & ((1u << triangle_bits) - 1u))];
    uvec3 at = (uvec3(own.x) + triangle.xyz) * 2u;
    vec4 v0 = vertices[at.x], v1 = vertices[at.y], v2 = vertices[at.z];
    vec4 n0 = vertices[at.x + 1u], n1 = vertices[at.y + 1u], n2 = vertices[at.z + 1u];
    vec3 r0 = instances[k].xyz, r1 = instances[k + 1u].xyz, r2 = instances[k + 2u].xyz;
    vec3 corner = in_camera(number, v0.xyz);
    vec3 edge1 = v1.xyz - v0.xyz, edge2 = v2.xyz - v0.xyz;
    edge1 = vec3(dot(r0, edge1), dot(r1, edge1), dot(r2, edge1));
    edge2 = vec3(dot(r0, edge2), dot(r1, edge2), dot(r2, edge2));
    vec3 across = cross(edge1, edge2);
    float volume = dot(across, corner);
    z = volume / dot(across, ray);
    // Over the screen, a corner's coordinate through depth is a plane. Neighbours overlap a little, as on the CPU.
    vec3 plane1 = cross(edge2, corner) / volume, plane2 = cross(corner, edge1) / volume;
    vec3 plane0 = across / volume - plane1 - plane2;
    vec4 focal = views[view * {VIEW_ROWS}u];
    vec3 slack = {_OVERLAP} / vec3(focal.xy * float(SIDE), 1.0) * vec3(1.0, 1.0, 0.0);
    bool inside = dot(plane0, middle) >= -dot(abs(plane0), slack)
        && dot(plane1, middle) >= -dot(abs(plane1), slack)
        && dot(plane2, middle) >= -dot(abs(plane2), slack);
    nearness = inside ? dot(across, middle) / volume : 0.0;
    vec3 p = ray * z, q = p - corner;
    vec2 b = clamp(vec2(dot(cross(q, edge2), across), dot(cross(edge1, q), across)) / dot(across, across), 0.0, 1.0);
    // Normals turn by the cofactors, which also holds where the scale differs between axes.
    vec3 n = n0.xyz + b.x * (n1.xyz - n0.xyz) + b.y * (n2.xyz - n0.xyz);
    n = vec3(dot(cross(r1, r2), n), dot(cross(r2, r0), n), dot(cross(r0, r1), n));
    normal = (volume > 0.0 ? -n : n) * inversesqrt(dot(n, n) + TINY);
    segment = uint(own.z) & 0xffffu;

    vec4 look = instances[k + 4u], material = instances[k + 5u], part = parts[triangle.w];
    bool matte = material.w > 0.0;
    vec3 own_rgb = look.rgb * part.rgb;
    float chosen = look.w >= 0.0 ? look.w : part.w;
    if (chosen >= 0.0 && !matte) {{
        ivec2 texture_ = textures[int(chosen)];
        vec2 t0 = vec2(v0.w, n0.w), t1 = vec2(v1.w, n1.w) - t0, t2 = vec2(v2.w, n2.w) - t0;
        // The Jacobian of texture coordinates over the screen is a constant of the triangle times the cube of depth.
        float density = abs(determinant(mat2(t1, t2)) / (volume * focal.x * focal.y)) * z * z * z;
        density *= float(texture_.y) * float(texture_.y);
        own_rgb *= texel(texture_, density, t0 + b.x * t1 + b.y * t2);
    }}
    float matter = 1.0 - material.z;
    vec3 lit = views[view * {VIEW_ROWS}u + 1u].rgb, unshaded = lit, shine = vec3(0.0), away = normalize(p);
    for (uint j = 0u; j < light_count; j++) {{
        uint at = (view * light_count + j) * {LIGHT_ROWS}u;
        vec4 diffuse = lights[at + 1u];
        if (diffuse.r + diffuse.g + diffuse.b <= 0.0) continue;
        vec4 light = lights[at];
        vec3 to = light.xyz;
        float fall = 1.0;
        if (light.w > 0.0) {{
            to -= p;
            float near = inversesqrt(dot(to, to) + TINY);
            to *= near;
            fall = min(1.0, near * near);
        }}
        float facing = dot(to, normal);
        if (facing <= 0.0) continue;
        float got = fall;
        vec4 mirror = lights[at + 2u];
        if (diffuse.w > 0.0) {{
            float map = lights[at + 3u].x;
            if (map >= 0.0) got *= 1.0 - diffuse.w * (1.0 - lit_share(uint(map), mirror.w, p, normal));
        }}
        unshaded += facing * fall * matter * diffuse.rgb;
        lit += facing * got * matter * diffuse.rgb;
        if (material.x > 0.0) {{
            vec3 halfway = to - away;
            float cosine = dot(normal, halfway) * inversesqrt(dot(halfway, halfway) + TINY), power = material.y;
            if (cosine > 0.0) shine += got * material.x * cosine / (power - power * cosine + cosine) * mirror.rgb;
        }}
    }}
    // A metal gives highlights its own colour.
    rgb = matte ? back * lit / max(unshaded, TINY) : own_rgb * lit + shine * (matter + material.z * own_rgb);
}}
"""

_MAIN = f"""
shared uint colours[{PIXELS_A_GROUP}];
shared uint segments[{PIXELS_A_GROUP}];

// A pixel with several triangles: each is shaded once, in the middle of its samples, and weighs as much as it covers.
// Depth, segment and normal are those of the nearest one at the pixel's middle; where none that has a sample reaches
// it, those of the one with most samples.
void make(uint index, out uint colour, out uint segment) {{
    uint per_view = uint(size_px.x * size_px.y), view = index / per_view, rest = index % per_view;
    ivec2 pixel = ivec2(rest % uint(size_px.x), rest / uint(size_px.x)), first = pixel * SIDE;
    ivec2 corner = ivec2(view % tiles_x, view / tiles_x) * size_px * SIDE + first;
    uint ids[SIDE * SIDE];
    for (int k = 0; k < SIDE * SIDE; k++) {{
        ivec2 at = corner + ivec2(k % SIDE, k / SIDE);
        ids[k] = texelFetch(depths, at, 0).r < 1.0 ? texelFetch(names, at, 0).r : NOTHING;
    }}
    vec4 focal = views[view * {VIEW_ROWS}u];
    vec3 ray = vec3((vec2(pixel) - focal.zw) / focal.xy, 1.0), back = background(view, pixel, ray);
    vec3 sum = vec3(0.0), shown = vec3(0.0);
    float nearest = 0.0, depth = NO_DEPTH;
    int most = 0, empty = 0;
    segment = 0xffffu;
    // Each turn takes one triangle of every pixel, so that neighbours with as many triangles take their turns together.
    for (int k = 0; k < SIDE * SIDE; k++) {{
        while (k < SIDE * SIDE - 1 && ids[k] == DONE) k++;
        uint name = ids[k];
        if (name == DONE) break;
        int covered = 0;
        ivec2 at = ivec2(0);
        for (int j = k; j < SIDE * SIDE; j++) {{
            if (ids[j] == name) {{
                covered++;
                at += ivec2(j % SIDE, j / SIDE);
                ids[j] = DONE;
            }}
        }}
        vec3 rgb = back, normal = vec3(0.0);
        if (name == NOTHING) {{
            empty = covered;
        }} else {{
            float z, nearness;
            uint which;
            vec2 q = (vec2(first) + vec2(at) / float(covered) + 0.5) / float(SIDE) - 0.5;
            shade(view, name, vec3((q - focal.zw) / focal.xy, 1.0), ray, back, rgb, z, normal, which, nearness);
            if (nearness > nearest || (nearest == 0.0 && covered > most)) {{
                depth = nearness > 0.0 ? 1.0 / nearness : z;
                segment = which;
                shown = normal;
                nearest = nearness;
                most = covered;
            }}
        }}
        sum += float(covered) / float(SIDE * SIDE) * min(rgb, 1.0);
    }}
    if (nearest == 0.0 && 2 * empty >= SIDE * SIDE) {{
        depth = NO_DEPTH;
        segment = 0xffffu;
        shown = vec3(0.0);
    }}
    uvec3 bytes = uvec3(clamp(sum, 0.0, 1.0) * 255.0 + 0.5);
    colour = bytes.r | bytes.g << 8 | bytes.b << 16;
    out_depth[index] = depth == NO_DEPTH ? 0x7f800000u : floatBitsToUint(depth);
    WRITE_NORMAL
}}

void main() {{
    uint lane = gl_LocalInvocationID.x;
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint index = group * {PIXELS_A_GROUP}u + lane, colour = 0u, segment = 0u;
    if (index < pixel_count) make(index, colour, segment);
    colours[lane] = colour;
    segments[lane] = segment;
    barrier();
    // Three bytes a pixel and two bytes a pixel, in words of four.
    uint word = group * {PIXELS_A_GROUP * 3 // 4}u + lane;
    if (lane < {PIXELS_A_GROUP * 3 // 4}u && word * 4u < pixel_count * 3u) {{
        uint bytes = 0u;
        for (uint k = 0u; k < 4u; k++) {{
            uint at = lane * 4u + k;
            bytes |= ((colours[at / 3u] >> (at % 3u * 8u)) & 255u) << (k * 8u);
        }}
        out_rgb[word] = bytes;
    }}
    word = group * {PIXELS_A_GROUP // 2}u + lane;
    if (lane < {PIXELS_A_GROUP // 2}u && word * 2u < pixel_count)
        out_segment[word] = segments[lane * 2u] | segments[lane * 2u + 1u] << 16;
}}
"""

_NORMAL_BUFFER = f"layout(std430, binding = {NORMAL}) writeonly buffer Normal {{ float out_normal[]; }};\n"
_WRITE_NORMAL = "for (uint c = 0u; c < 3u; c++) out_normal[index * 3u + c] = shown[c];"


def shading_source(side: int, normals: bool) -> str:
    """Return the shader for `side` * `side` samples a pixel, with normals or without."""
    head = VERSION + f"#define SIDE {side}\n" + BUFFERS + _DATA + (_NORMAL_BUFFER if normals else "")
    main = _MAIN.replace("WRITE_NORMAL", _WRITE_NORMAL if normals else "")
    return head + LIT_SHARE + _TEXTURE + _BACKGROUND + _SHADE + main
