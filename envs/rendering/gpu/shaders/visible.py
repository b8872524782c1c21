"""Shaders that find out which triangle is seen at each sample.

All views of a batch lie side by side in one picture. What is written is a name: the instance's number in its view and
the triangle's number in its level of detail. Colours come later, from names (Burns & Hunt 2013, "The visibility
buffer").
"""

from __future__ import annotations

from envs.rendering.gpu.shaders.layout import BUFFERS, VERSION, VIEW_ROWS

VERTEX = (
    VERSION
    + BUFFERS
    + f"""
in vec3 in_position;
in uvec2 in_pair;
flat out uint name;
uniform vec2 size_px;
uniform vec2 atlas_px;
uniform float side;
uniform float near_m;
uniform uint tiles_x;
uniform uint instance_count;
uniform uint triangle_bits;
out float gl_ClipDistance[4];

void main() {{
    uint view = in_pair.x;
    name = (in_pair.y - view * instance_count) << triangle_bits;
    vec4 focal = views[view * {VIEW_ROWS}u];
    vec3 p = in_camera(in_pair.y, in_position);
    // Pixels from the corner of the view, times depth; the first row of a picture is its top.
    vec2 at = focal.xy * p.xy + (focal.zw + 0.5) * p.z;
    gl_ClipDistance[0] = at.x;
    gl_ClipDistance[1] = size_px.x * p.z - at.x;
    gl_ClipDistance[2] = at.y;
    gl_ClipDistance[3] = size_px.y * p.z - at.y;
    vec2 corner = vec2(view % tiles_x, view / tiles_x) * size_px;
    gl_Position = vec4((at + corner * p.z) * side * 2.0 / atlas_px - p.z, p.z - 2.0 * near_m, p.z);
}}
"""
)

FRAGMENT = (
    VERSION
    + """
flat in uint name;
out uint seen;

void main() {
    seen = name | uint(gl_PrimitiveID);
}
"""
)
