from samples.common import values


def operands(*shapes, **options):
    return tuple(values(*shape, seed=i) for i, shape in enumerate(shapes)), options


SAMPLES = {
    "matmul": [
        operands(*shapes)
        for shapes in [
            ((2, 3), (3, 4)),
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 4)),
            ((5, 2, 3), (3, 4)),
            ((5, 2, 3), (5, 3, 4)),
            ((5, 2, 3), (3,)),
            ((3,), (5, 3, 4)),
            ((5, 1, 2, 3), (4, 3, 2)),
            ((2, 0), (0, 3)),
            ((0, 3), (3, 2)),
        ]
    ],
    "einsum": [
        operands(*shapes, equation=equation)
        for equation, shapes in [
            ("ij,jk->ik", [(2, 3), (3, 4)]),
            ("ij,jk", [(2, 3), (3, 4)]),
            ("ba,ca", [(2, 3), (4, 3)]),
            ("i,i->", [(3,), (3,)]),
            ("i,j", [(3,), (2,)]),
            ("ij->ji", [(2, 3)]),
            ("ij->i", [(2, 3)]),
            ("ij->", [(2, 3)]),
            ("ii->i", [(3, 3)]),
            ("ii", [(3, 3)]),
            ("iij,ik->jk", [(2, 2, 3), (2, 4)]),
            ("ij,k->ik", [(2, 3), (4,)]),
            ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]),
            ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
            ("...ij,...jk", [(5, 1, 2, 3), (4, 3, 2)]),
            ("...i->...", [(2, 3)]),
            ("...i->i", [(2, 3)]),
            ("ij,ij->ij", [(1, 3), (2, 3)]),
            ("ij,ij->j", [(2, 1), (2, 3)]),
            ("a,ab,b->", [(2,), (2, 3), (3,)]),
            ("Ab, bC -> AC", [(2, 3), (3, 2)]),
            ("ij,jk->ik", [(2, 0), (0, 3)]),
            (",i->i", [(), (3,)]),
            ("nij,njk->nik", [(4, 20, 20), (4, 20, 20)]),
        ]
    ],
}
