# The guest that proves an accelerator (see accel.py): from the reset vector through protected into long mode, there one
# `lock cmpxchg16b` and one `fxsave`, then 42 to the isa-debug-exit device, which ends QEMU with status 85.
# Assemble: as proof.S -o proof.o && ld -Ttext=0xffe00 --oformat=binary -e start proof.o -o proof.bin  (the last 512 bytes of the ROM)

        .code16
        .globl  start
start:  cli
        lgdtl   %cs:(descriptor - 0xf0000)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $0x08, $protected

        .code32
protected:
        movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x8000, %esp
        movl    $0x1000, %edi           # page tables: three zeroed pages at 0x1000
        xorl    %eax, %eax
        movl    $0xc00, %ecx
        rep     stosl
        movl    $0x2003, 0x1000
        movl    $0x3003, 0x2000
        movl    $0x83, 0x3000           # one page of 2 MiB at 0
        movl    $0x1000, %eax
        movl    %eax, %cr3
        movl    $0x220, %eax            # PAE, OSFXSR
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx
        movl    $0x100, %eax            # EFER.LME
        xorl    %edx, %edx
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        ljmpl   $0x18, $long

        .code64
long:   xorl    %eax, %eax
        xorl    %edx, %edx
        xorl    %ebx, %ebx
        xorl    %ecx, %ecx
        movq    $0x4000, %rdi
        lock cmpxchg16b (%rdi)
        fxsave  0x4200
        movw    $0xf4, %dx
        movb    $42, %al
        outb    %al, %dx
halt:   hlt
        jmp     halt

        .align  8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff      # code, 32 bit
        .quad   0x00cf92000000ffff      # data
        .quad   0x00af9a000000ffff      # code, 64 bit
descriptor:
        .word   . - gdt - 1
        .long   gdt

        .org    0x1f0
        .code16
        jmp     start
        .org    0x200
