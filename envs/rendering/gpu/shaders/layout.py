"""Where shaders find their arrays: numbers of storage buffers and texture units, and what a row of each holds."""

from __future__ import annotations

# Storage buffers. Triangles and vertices of all levels, then what changes from batch to batch, then what is written.
VERTICES, TRIANGLES, PARTS, TEXTURES = 0, 1, 2, 3
INSTANCES, INSTANCE_NUMBERS, VIEWS, LIGHTS, MAPS, MAP_OWNERS, PICTURES = 4, 5, 6, 7, 8, 9, 10
RGB, DEPTH, SEGMENT, NORMAL = 11, 12, 13, 14

# Texture units.
NAME_UNIT, DEPTH_UNIT, MAP_UNIT, TEXEL_UNIT = 0, 1, 2, 3

# Rows of four floats that one entry has in each buffer.
INSTANCE_ROWS, VIEW_ROWS, LIGHT_ROWS, MAP_ROWS = 6, 10, 4, 5

# Texels are kept in rows of this length.
TEXEL_ROW = 8192

VERSION = "#version 430\n"

# Instances: three rows of camera_from_instance; centre and radius, in the camera, of what casts a shadow, radius -1 for
# what casts none; colour and texture; material.
# Views: focal_px; ambient and kind of background; its colour and picture; the world's up, in the camera; where the sky
# glows; colours of the sky (4 rows); middle of the casters.
# Lights: light in the camera; matte reflection and what shadow takes; mirror-like reflection and size; number of its
# map.
# Maps: shadow_from_camera (4 rows); size of a texel, kind, and nearness farthest from the light and nearest to it.
BUFFERS = f"""
layout(std430, binding = {INSTANCES}) readonly buffer Instances {{ vec4 instances[]; }};
layout(std430, binding = {VIEWS}) readonly buffer Views {{ vec4 views[]; }};
vec3 in_camera(uint instance, vec3 p) {{
    uint k = instance * {INSTANCE_ROWS}u;
    vec4 q = vec4(p, 1.0);
    return vec3(dot(instances[k], q), dot(instances[k + 1u], q), dot(instances[k + 2u], q));
}}
"""
