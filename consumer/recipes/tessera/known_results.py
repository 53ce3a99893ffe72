"""A small inference whose result is stored: what every sound machine must find, whatever computes it.

Two tiny networks with seeded weights, one of each family, over a few pixels with gaps. The values were
computed in float32 on a CPU by the plain network, which agrees with the published golden data.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.models import Backbone, Dimensions, Family, published_dimensions
from consumer.recipes.tessera.untrained import untrained_weights
from consumer.recipes.tessera.weights import Weights

SIZE = 6
DATES = 24
DIMENSIONS = 12
CUBE_SEED = 20240229
WEIGHTS_SEED = 29


@dataclass(frozen=True, eq=False)
class KnownResult:
    """What comes out of `known_weights` over `known_cube`."""

    quantised: NDArray[np.int8]
    """(SIZE, SIZE, DIMENSIONS)"""
    scales: NDArray[np.float32]
    """(SIZE, SIZE)"""


def known_cube(size: int = SIZE) -> Cube:
    """A few pixels with gaps in both sensors; the same on every machine."""
    generator = np.random.Generator(np.random.PCG64(CUBE_SEED))
    seen = generator.random((DATES, size, size)) < 0.6
    radar = generator.integers(1500, 7000, (2, DATES // 2, size, size, 2)).astype(np.int16)
    days = np.linspace(1, 360, DATES)
    return Cube(
        bands=generator.integers(200, 5000, (DATES, size, size, 10)).astype(np.uint16),
        masks=seen.astype(np.uint8),
        doys=days.astype(np.uint16),
        sar_ascending=radar[0],
        sar_ascending_doy=days[::2].astype(np.int16),
        sar_descending=radar[1],
        sar_descending_doy=days[1::2].astype(np.int16),
    )


def known_weights(family: Family) -> Weights:
    """A network of this family that is small enough for milliseconds and has every part of the large ones."""
    model = "v1.1" if family == "v1.1" else "v2-nano"
    return untrained_weights(model, seed=WEIGHTS_SEED, dimensions=_dimensions(model))


def known_result(family: Family) -> KnownResult:
    """The stored values of this family."""
    quantised, scales = _STORED[family]
    return KnownResult(
        np.frombuffer(base64.b85decode(quantised), dtype=np.int8).reshape(SIZE, SIZE, DIMENSIONS),
        np.frombuffer(base64.b85decode(scales), dtype="<f4").reshape(SIZE, SIZE),
    )


def _dimensions(model: str) -> Dimensions:
    return replace(
        published_dimensions(model),
        width=64,
        optical=Backbone(layers=2, heads=4, feedforward=96),
        radar=Backbone(layers=1, heads=4, feedforward=64),
        representation=DIMENSIONS,
    )


_STORED: dict[Family, tuple[str, str]] = {
    "v1.1": (
        (
            "2I2m#fk6Mck_{UG2G0<-fj{}Sv@1Ci8u2Hoff@e6l_Cll{Ph8sff)e7xDqWI^3n{WfeGu=wj>K6`QZhXfeZh*o(2&i"
            "-OKmFf%ovoo)#!33HJP=fei$xr4KD1_w5IgffoF*qaq(0@7n*Nff(Vou@y!=3i|t{fhP~Ssuv{<2HFILfdU(-rwbep"
            "2JHixfjbk@rV%Cv0}B1Fff?_{t`i>)3H}0>ffWp;svIC2_2vV(ffU=PtSK@h^V|TIf%^2jstyDq2lEuMffEAEo(>x*"
            "7!mxqfiD=qodF~l`Qi$ufeZz?jt=$}@8%JZf%^WJq8%nC5)1gXfh!Kor3N4t?DP?ofd&4wn+_r+1N#7&ffgIBm;53d"
            "^8pK>ffe<yhAAf+?duB2fe`A+mmL`z?DzYZf&Uz_m;e?R@dXC2ffoM5oEI4&2Lt=gfgA_noDdBd1^NrJfg}dcm<cH`"
            "3jqhlffEDKp8*&Z0t*nJfhz^DtPLv_@Wkt@fe8?=oEj<@=K%Jhfd>bssuUz63Gep0ffNbSkNg-G<?#cgfeHG{nF<ga"
        ),
        (
            "KA<l=N@^rLp1v78!Im#P-A*t(ShX`e+7KN)51m3h6Tm7wPHq`Io{c&@4W%bMg{>_--_=DtD?%qc!x1VxewG<L(%UsW"
            "5$H@jX7V09P&zL>zpF|-q2Vk%+R!CDi0mai`_nW$eWE)&Wv4Ve&?zoFMlmZqqj^$1dvz^5dnOb-YS<q<8x1Wy%3DM{"
        ),
    ),
    "v2": (
        (
            "u<|QF6MweRk~}-mtN<cK_;S(bfj>FWfgVLjz<1#CyBs^ZqZmyZ<9OcDfhJeig&iJO2Y;}{wq!k-y$>fWw}122vl=(v"
            "hYdbs+<(>cm_99}fe>nI@m{~=jx{o}g(*B&27I{3fj=$LsstT2=6}}LtSuz(qZ}_n`G3dGi7!6Rfl&KA=XBxTqBk<r"
            "mMAth3~$Hefhsc7p#m{+(|_XolQtcvpC5D=&41U<nj|>So9qBv<$v_$tQ}0uk{Lc8<bS{Tu`n~rr~h9$;(yfAuOBPI"
            "o+mC$7Js|0oHk~Rj6oYd(SOp+#1u=(nJq#-)qmc{sTLgPfigEo^mD=2j7~Vciv9vx<$vJcut+S_i%w543Uju}fj2_3"
            "fgmSq)>`lErA8jNfhZz54t&S)i9T4Gr7utt*nigYvp^W3q!vkQ<$u}Ijwm;kr8Pb!`%K^Efhl9Gffg=c{&ls@s#h+z"
            "fe%At+j-IJu0bKHi7I6t@_M-Efg@GMm?beR;eY1aj}J}Sr$Rd~+JC#xoE~GZvlK2d>wm%8usS`il^-)n1X|tGfizvP"
        ),
        (
            "2WV?N15a~2GRtN>h)88T5fVr|<i?3S(neA|udPcwx9v?l{Ah|i2DxTDu`+5rnPO}_`+r+JC}m$fjoEfQIrMfsitBPb"
            "LYqT8Ie2S4bBlL8VjfaF`BQH^`PE1~8*67g4hu{?iLY)vau-iLiUMmqFalFN=QUV7>&Z<#Bc*RV4oX%$nt66Sv!-1<"
        ),
    ),
}
"""int8 values and float32 scales, little-endian, in base 85."""
